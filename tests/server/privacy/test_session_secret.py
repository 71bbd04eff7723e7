"""The session id alone opens nothing: Gradio's id is made of it and of the cookie."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from jomed_app.server.privacy.session_secret import MAX_BODY_BYTES, NOT_JSON, SessionSecret
from jomed_app.ui.session import SECRET_COOKIE
from tests.server.asking import Answer, ask, page

MINE, OTHERS = "m" * 43, "o" * 43
JOIN = "/gradio_api/queue/join"


def told():
    """An app that answers with what it was asked."""

    async def app(scope, receive, send):
        message = await receive()
        seen = {
            "path": scope["path"],
            "query": scope["query_string"].decode(),
            "body": message.get("body", b"").decode(),
            "length": dict(scope["headers"]).get(b"content-length", b"").decode(),
        }
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(seen).encode()})

    return app


@pytest.fixture
def app() -> SessionSecret:
    return SessionSecret(told(), key=b"k" * 32)


def cookie(secret: str) -> dict[str, str]:
    return {"Cookie": f"other=1; {SECRET_COOKIE}={secret}"} if secret else {}


def joined(app, session: object, secret: str = MINE, path: str = JOIN) -> dict:
    body = json.dumps({"session_hash": session, "fn_index": 3}).encode()
    answer = ask(app, body, path=path, method="POST", headers=cookie(secret))
    assert answer.status == 200
    seen = json.loads(answer.body)
    assert int(seen["length"]) == len(seen["body"])
    return json.loads(seen["body"])


def test_one_id_under_two_cookies_is_two_sessions(app):
    found = [joined(app, "abc", secret)["session_hash"] for secret in (MINE, OTHERS, "")]
    assert len({*found, "abc"}) == 4
    assert joined(app, "abc")["session_hash"] == found[0]
    assert joined(app, "abd")["session_hash"] != found[0]
    assert joined(app, "abc")["fn_index"] == 3


def test_another_process_makes_other_sessions(app):
    other = SessionSecret(told())
    assert joined(app, "abc") != joined(other, "abc")


def test_every_place_of_a_session_is_replaced_alike(app):
    own = joined(app, "abc")["session_hash"]
    for path in ("/gradio_api/cancel", "/gradio_api/component_server", "/gradio_api/call/diagnose"):
        assert joined(app, "abc", path=path)["session_hash"] == own
    asked = ask(app, path="/gradio_api/queue/data?a=1&session_hash=abc&b=", headers=cookie(MINE))
    assert json.loads(asked.body)["query"] == f"a=1&session_hash={own}&b="
    asked = ask(app, path="/gradio_api/heartbeat/abc", headers=cookie(MINE))
    assert json.loads(asked.body)["path"] == f"/gradio_api/heartbeat/{own}"


def test_a_session_named_twice_is_replaced_twice(app):
    body = b'{"session_hash": "x", "session_hash": "abc"}'
    seen = json.loads(ask(app, body, path=JOIN, method="POST", headers=cookie(MINE)).body)["body"]
    assert json.loads(seen) == {"session_hash": joined(app, "abc")["session_hash"]}
    query = "/gradio_api/queue/data?session_hash=abc&session_hash=abc"
    seen = json.loads(ask(app, path=query, headers=cookie(MINE)).body)["query"]
    assert "=abc" not in seen


def test_a_call_without_a_session_stays_without(app):
    answer = ask(app, b'{"data": []}', path="/gradio_api/call/diagnose", method="POST")
    assert json.loads(json.loads(answer.body)["body"]) == {"data": []}
    assert joined(app, None)["session_hash"] is None


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"7", b"{", b'{"session_hash": 7}', b'{"session_hash": ["x"]}', b"\xff",
     b"[" * 100_000, b'"' + b"x" * MAX_BODY_BYTES + b'"'],
)  # fmt: skip
def test_a_body_that_is_no_object_is_refused(app, body):
    answer = ask(app, body, path=JOIN, method="POST")
    assert (answer.status, answer.sentence) == (400, NOT_JSON)


def given(answer: Answer) -> tuple[str, list[str]]:
    value, *attributes = answer.headers["set-cookie"].split("; ")
    return value.partition("=")[2], sorted(attributes)


def test_the_page_gives_a_cookie_that_scripts_cannot_read_and_never_a_second(app):
    secret, attributes = given(ask(app, path="/?__theme=dark"))
    assert len(secret) == 43
    assert attributes == ["HttpOnly", "Path=/", "SameSite=Lax"]
    assert "set-cookie" not in ask(app, path="/", headers=cookie(secret)).headers
    assert "set-cookie" not in ask(app, path="/config").headers
    assert "set-cookie" in ask(app, path="/", headers=cookie("short")).headers
    secrets = [given(ask(app, path="/"))[0] for _ in range(20)]
    assert all(one != other for one, other in pairwise(sorted(secrets)))


def test_over_https_the_cookie_is_secure_and_in_a_frame_it_is_the_frames(app):
    https = {"X-Forwarded-Proto": "https"}
    _, attributes = given(ask(app, path="/", headers=https | {"Sec-Fetch-Dest": "document"}))
    assert attributes == ["HttpOnly", "Path=/", "SameSite=Lax", "Secure"]
    _, attributes = given(ask(app, path="/", headers=https | {"Sec-Fetch-Dest": "iframe"}))
    assert attributes == ["HttpOnly", "Partitioned", "Path=/", "SameSite=None", "Secure"]
    _, attributes = given(ask(app, path="/", headers={"Sec-Fetch-Dest": "iframe"}))
    assert "Partitioned" not in attributes, "no browser keeps such a cookie over http"


def test_an_upload_passes_as_it_is():
    app = page()
    asked = ask(SessionSecret(app), b"form", path="/gradio_api/upload", method="POST")
    assert asked.body == b"fine"
