"""The log-in with a Hugging Face account, against a provider of the tests' own.

Gradio's routes and its library do the real exchange: discovery, code, signed token, signed cookie.
What only huggingface.co could show is whether its own pages and proxy play along.
"""

from __future__ import annotations

import importlib.util
import re
import threading
import time
from urllib.parse import unquote_plus

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse

from jomed_app.config import AppConfig
from jomed_app.errors import ConfigError
from jomed_app.server.drain import Drain
from jomed_app.server.gate.hugging_face import (
    NEEDED,
    NOT_INVITED,
    NOT_LOGGED_IN,
    USERS,
    HuggingFaceGate,
    users_of_environment,
)
from jomed_app.server.health import Health
from jomed_app.server.shell import Gate, build_shell
from jomed_app.ui.session import SECRET_COOKIE
from jomed_app.ui.uploads import UploadStore
from tests.server.asking import Answer, ask, page
from tests.server.openid import CLIENT, SECRET, provider

SPACE = "me-app.hf.space"


@pytest.fixture(autouse=True)
def _no_space(monkeypatch):
    for name in (*NEEDED, USERS, "SYSTEM", "SPACE_ID", "SPACE_HOST"):
        monkeypatch.delenv(name, raising=False)


def logged_in_as(name: str, *, seconds: float = 3600) -> dict:
    login = {"userinfo": {"preferred_username": name}, "expires_at": time.time() + seconds}
    return {"oauth_info": login}


def visit(users, session, path="/config") -> Answer:
    gate = HuggingFaceGate(page(), users)

    async def with_session(scope, receive, send):
        await gate({**scope, "session": session}, receive, send)

    return ask(with_session, path=path)


@pytest.mark.parametrize(
    ("users", "session", "status"),
    [
        ({"ann"}, logged_in_as("Ann"), 200),
        ({"*"}, logged_in_as("anybody"), 200),
        ({"ann"}, logged_in_as("bob"), 403),
        ({"ann"}, logged_in_as(""), 401),
        ({"*"}, logged_in_as("ann", seconds=-1), 401),
        ({"*"}, {"oauth_info": {"userinfo": {"preferred_username": "ann"}}}, 401),
        ({"*"}, {"oauth_info": None}, 401),
        ({"*"}, {}, 401),
    ],
)
def test_who_is_let_in(users, session, status):
    answer = visit(users, session)
    assert answer.status == status
    if status != 200:
        assert answer.sentence == (NOT_INVITED if status == 403 else NOT_LOGGED_IN)


def test_the_page_offers_the_log_in_and_probes_need_none():
    welcome = visit({"*"}, {}, path="/")
    assert (welcome.status, welcome.headers["content-type"][:9]) == (401, "text/html")
    assert b'href="/login/huggingface"' in welcome.body
    assert b"<script" not in welcome.body
    assert visit({"*"}, {}, path="/healthz").status == 200


def test_users_are_named_by_the_environment_of_a_space(monkeypatch):
    assert users_of_environment() is None
    monkeypatch.setenv(USERS, "Ann, bob")
    with pytest.raises(ConfigError, match="requires a Space whose README says hf_oauth: true"):
        users_of_environment()
    for name in NEEDED:
        monkeypatch.setenv(name, "x")
    with pytest.raises(ConfigError, match="found no Space missing"):
        users_of_environment()
    monkeypatch.setenv("SYSTEM", "spaces")
    assert users_of_environment() == {"ann", "bob"}
    monkeypatch.setenv("OAUTH_CLIENT_SECRET", "")  # an empty secret would sign for anyone
    with pytest.raises(ConfigError, match="OAUTH_CLIENT_SECRET missing"):
        users_of_environment()


@pytest.fixture
def space(monkeypatch):
    """The app of a Space, with Gradio's own log-in in it, and the provider."""
    for library in ("authlib", "itsdangerous"):
        if importlib.util.find_spec(library) is None:
            pytest.skip(f"needs {library}")
    import gradio.oauth

    from jomed_app.ui.layout import attach_login

    with provider() as there:
        values = {
            "OAUTH_CLIENT_ID": CLIENT,
            "OAUTH_CLIENT_SECRET": SECRET,
            "OAUTH_SCOPES": "openid profile",
            "OPENID_PROVIDER_URL": there.url,
        }
        for name, value in values.items():
            monkeypatch.setenv(name, value)
            monkeypatch.setattr(gradio.oauth, name, value)
        for name, value in {"SYSTEM": "spaces", "SPACE_ID": "me/app", "SPACE_HOST": SPACE}.items():
            monkeypatch.setenv(name, value)
        shell = FastAPI(middleware=[Middleware(HuggingFaceGate, users={"ann"})])
        attach_login(shell)

        @shell.get("/config")
        def config() -> PlainTextResponse:
            return PlainTextResponse("the page")

        yield shell, there


def cookie_of(answer: Answer) -> str:
    return re.match(r"session=[^;]+", answer.headers["set-cookie"])[0]


def log_in(shell, there) -> str:
    """Return the cookie of a visitor who logged in."""
    sent = ask(shell, path="/login/huggingface")
    assert sent.status == 302
    assert sent.headers["location"].startswith(there.url + "/authorize?")
    back = there.consent(sent.headers["location"])
    assert back.startswith(f"https://{SPACE}/login/callback?")
    path = back.removeprefix(f"https://{SPACE}")
    done = ask(shell, path=path, headers={"Cookie": cookie_of(sent)})
    assert done.status == 307
    assert done.headers["location"].startswith("/")
    assert "httponly" in done.headers["set-cookie"].lower()
    return cookie_of(done)


def test_a_visitor_logs_in_and_is_let_in(space):
    shell, there = space
    assert ask(shell, path="/config").status == 401
    cookie = log_in(shell, there)
    (given,) = there.client_secrets
    assert unquote_plus(given) == f"{CLIENT}:{SECRET}"
    assert ask(shell, path="/config", headers={"Cookie": cookie}).body == b"the page"
    forged = cookie[:-4] + ("AAAA" if cookie[-4:] != "AAAA" else "BBBB")
    assert ask(shell, path="/config", headers={"Cookie": forged}).status == 401


def test_another_account_is_not(space):
    shell, there = space
    there.user = "Mallory"
    answer = ask(shell, path="/config", headers={"Cookie": log_in(shell, there)})
    assert (answer.status, answer.sentence) == (403, NOT_INVITED)


def test_a_code_from_another_browser_logs_nobody_in(space):
    shell, there = space
    back = there.consent(ask(shell, path="/login/huggingface").headers["location"])
    answer = ask(shell, path=back.removeprefix(f"https://{SPACE}"))  # without the cookie
    assert "/login/huggingface" in answer.headers["location"]
    assert there.client_secrets == []


@pytest.fixture
def over_http(space, tmp_path):
    """The whole shell of a Space on a port of its own, asked as its proxy asks."""
    from jomed_app.ui.layout import attach_login

    health = Health("bundle", "index", is_ready=lambda: True, faults=lambda: [])
    gate = Gate(users=frozenset({"ann"}))
    shell = build_shell(AppConfig(), health, Drain(1), UploadStore(tmp_path), gate)
    attach_login(shell)

    @shell.get("/")
    def home() -> PlainTextResponse:
        return PlainTextResponse("the page")

    server = uvicorn.Server(
        uvicorn.Config(shell, port=0, log_level="error", proxy_headers=False, lifespan="off")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    proxy = {"Host": SPACE, "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=proxy, timeout=20) as browser:
        yield browser
    server.should_exit = True
    thread.join(10)


def pairs_of(answer: httpx.Response) -> dict[str, tuple[str, set[str]]]:
    """Cookie name -> its value, and its attributes in lower case."""
    found = {}
    for line in answer.headers.get_list("set-cookie"):
        pair, *attributes = line.split(";")
        name, _, value = pair.partition("=")
        found[name] = value, {each.strip().lower() for each in attributes}
    return found


def test_the_whole_exchange_over_http_as_the_proxy_of_a_space_asks(over_http):
    browser = over_http
    cookies: dict[str, str] = {}

    def visit(path: str, **headers: str) -> httpx.Response:
        line = "; ".join(f"{name}={value}" for name, value in cookies.items())
        answer = browser.get(path, headers={"Cookie": line, **headers})
        cookies.update({name: value for name, (value, _) in pairs_of(answer).items()})
        return answer

    assert visit("/").status_code == 401
    sent = visit("/login/huggingface")
    _, attributes = pairs_of(sent)["session"]
    assert {"secure", "httponly", "samesite=none"} <= attributes
    there_and_back = httpx.get(sent.headers["location"], timeout=20)
    back = there_and_back.headers["location"]
    assert back.startswith(f"https://{SPACE}/login/callback?")
    done = visit(back.removeprefix(f"https://{SPACE}"))
    assert done.status_code in (302, 307)
    framed = visit("/", **{"Sec-Fetch-Dest": "iframe"})
    assert framed.text == "the page"
    _, attributes = pairs_of(framed)[SECRET_COOKIE]
    assert {"secure", "httponly", "samesite=none", "partitioned"} <= attributes
    assert "frame-ancestors https://huggingface.co" in framed.headers["content-security-policy"]
    assert SECRET_COOKIE not in pairs_of(visit("/"))  # never a second one


@pytest.mark.parametrize(
    ("headers", "wanted", "unwanted"),
    [
        (
            {"Sec-Fetch-Dest": "iframe"},
            {"samesite=none", "secure", "partitioned"},
            {"samesite=lax"},
        ),
        ({"Sec-Fetch-Dest": "document"}, {"samesite=lax", "secure"}, {"partitioned"}),
        ({"X-Forwarded-Proto": "http"}, {"samesite=lax"}, {"secure", "partitioned"}),
    ],
)
def test_the_page_s_cookie_behind_a_proxy(over_http, headers, wanted, unwanted):
    browser = over_http
    sent = browser.get("/login/huggingface")
    line = f"session={pairs_of(sent)['session'][0]}"
    back = httpx.get(sent.headers["location"], timeout=20).headers["location"]
    done = browser.get(back.removeprefix(f"https://{SPACE}"), headers={"Cookie": line})
    line = f"session={pairs_of(done)['session'][0]}"
    _, attributes = pairs_of(browser.get("/", headers={"Cookie": line, **headers}))[SECRET_COOKIE]
    assert wanted | {"httponly", "path=/"} <= attributes
    assert not unwanted & attributes
