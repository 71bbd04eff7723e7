"""Foreign hosts (DNS rebinding) and foreign pages are refused, in one sentence."""

from __future__ import annotations

import socket

import pytest

from jomed_app.server.names import (
    SPACE_HOST,
    WRONG_HOST,
    WRONG_ORIGIN,
    OwnNames,
    allowed_hosts,
    space_hosts,
)
from tests.server.asking import ask, page, scope_of


@pytest.fixture(autouse=True)
def _no_space(monkeypatch):
    monkeypatch.delenv(SPACE_HOST, raising=False)


@pytest.fixture
def app():
    return OwnNames(page(), allowed_hosts("127.0.0.1"), ["https://friend.example/"])


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:7860", "127.0.0.1:7860", "[::1]:7860", "LocalHost:1"]
)
def test_this_machines_names_are_served(app, host):
    assert ask(app, headers={"Host": host}).status == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:7860", "localhost.evil.example", "127.0.0.1.evil.example",
     "192.168.1.7", "[::2]", "[", "", "localhost@evil.example", "user:pw@evil.example:80"],
)  # fmt: skip
def test_a_foreign_host_is_refused(app, host):
    answer = ask(app, headers={"Host": host})
    assert (answer.status, answer.sentence) == (421, WRONG_HOST)
    assert "evil" not in answer.sentence


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/version"])
def test_a_probe_may_ask_by_any_name(app, path):
    assert ask(app, path=path, headers={"Host": "10.1.2.3"}).status == 200


def test_a_forwarded_host_counts_like_the_host(app):
    assert ask(app, headers={"X-Forwarded-Host": "evil.example"}).status == 421
    assert ask(app, headers={"X-Forwarded-Host": "localhost"}).status == 200


def test_names_come_from_the_machine_the_settings_and_the_space(monkeypatch):
    assert allowed_hosts("192.0.2.7", ["Jomed.Example"]) == {
        "localhost", "127.0.0.1", "::1", "192.0.2.7", "jomed.example",
    }  # fmt: skip
    everywhere = allowed_hosts("0.0.0.0")
    assert socket.gethostname().lower() in everywhere
    assert "0.0.0.0" not in everywhere
    assert space_hosts() == ()
    monkeypatch.setenv(SPACE_HOST, "Me-App.hf.space, own.example")
    assert {"me-app.hf.space", "own.example"} <= allowed_hosts("0.0.0.0")


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://localhost:3000", "http://localhost",
     "http://localhost:7860.evil.example", "https://friend.example.evil.example", ""],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_foreign_page_is_refused(app, origin, method):
    answer = ask(app, path="/gradio_api/upload", method=method, headers={"Origin": origin})
    assert (answer.status, answer.sentence) == (403, WRONG_ORIGIN)


@pytest.mark.parametrize("origin", ["http://localhost:7860", "https://friend.example"])
def test_the_own_page_and_a_named_site_may_ask(app, origin):
    assert ask(app, method="POST", headers={"Origin": origin}).status == 200


def test_a_program_without_an_origin_may_ask(app):
    assert ask(app, method="POST").status == 200


@pytest.mark.parametrize(
    ("site", "mode", "method", "status"),
    [
        ("same-origin", "cors", "POST", 200),
        ("none", "navigate", "GET", 200),
        ("cross-site", "navigate", "GET", 200),  # a link to the page
        ("cross-site", "navigate", "POST", 403),  # a form of another site
        ("cross-site", "no-cors", "GET", 403),  # its image, its script
        ("same-site", "no-cors", "GET", 403),  # another port of this machine
    ],
)
def test_what_the_browser_says_of_the_asker_counts(app, site, mode, method, status):
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode}
    assert ask(app, path="/gradio_api/x", method=method, headers=headers).status == status


def test_a_foreign_websocket_is_closed(app):
    import asyncio

    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "websocket.connect"}

    scope = scope_of(path="/ws", kind="websocket", headers={"Origin": "https://evil.example"})
    asyncio.run(app(scope, receive, send))
    assert [(each["type"], each["code"]) for each in sent] == [("websocket.close", 1008)]
