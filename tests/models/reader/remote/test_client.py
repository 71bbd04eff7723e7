"""Faults, each of which ends in one sentence, and in which nothing of the server's words stands."""

from __future__ import annotations

import gzip
import logging
import socket
import time

import pytest

from jomed_app.errors import ConfigError, RemoteError
from jomed_app.models.reader.remote import client as client_module
from jomed_app.models.reader.remote.address import allowed_address
from jomed_app.models.reader.remote.client import ChatClient
from jomed_app.models.reader.remote.patience import FAILURES, REST_S
from jomed_app.ui import text

HUGE = b'"' + b"x" * (17 * 2**20) + b'"'
DEEP = b"[" * 200_000


@pytest.fixture
def client_of():
    opened = []

    def build(url, **settings):
        settings = {"seconds": 10.0, "retries": 0} | settings
        opened.append(ChatClient(allowed_address(url, "", ()), **settings))
        return opened[-1]

    yield build
    for each in opened:
        each.close()


def ask(client, count=1, **more):
    body = {"model": "tiny", "messages": [{"role": "user", "content": "x"}], "max_tokens": 1}
    return client.ask_all([body | more for _ in range(count)])


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ((429, {}, b"secret"), "HTTP status 429"),
        ((500, {}, b"secret"), "HTTP status 500"),
        ((503, {"Retry-After": "3600"}, b""), "HTTP status 503, and asks for 3600 s of patience"),
        ((200, {}, b"{secret"), "not JSON"),
        ((200, {}, b"\xff\xfe"), "not JSON"),
        ((200, {}, DEEP), "not JSON"),
        ((200, {}, HUGE), "more than 16 MiB"),
        ((200, {"Content-Length": "100"}, b"{}"), "broke off|did not answer"),
        ((200, {"Content-Encoding": "gzip"}, gzip.compress(b"{}")), "packed its answer"),
        ((302, {"Location": "http://192.0.2.1/"}, b""), "not followed"),
        ((401, {}, b"secret"), "refused the API key"),
        ((400, {}, b"secret"), r"refused the question \(HTTP status 400\)"),
        ((413, {}, b""), "reader.max_side_px"),
        ((404, {}, b"secret"), "reader.model"),
    ],
)
def test_every_fault_is_one_sentence(server, client_of, fault, words):
    server.faults.append(fault)
    client = client_of(server.url, seconds=1.0, retries=1 if "Retry-After" in fault[1] else 0)
    with pytest.raises(RemoteError, match=words) as caught:
        ask(client)
    sentence = text.error_sentence(caught.value)
    assert "secret" not in sentence
    assert server.url.split("/")[2] in sentence
    assert "\n" not in sentence


def test_a_wrong_model_is_one_sentence(server, client_of):
    with pytest.raises(RemoteError, match=r"mend reader\.model"):
        ask(client_of(server.url), model="other")


def test_a_closed_port_is_one_sentence(client_of):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(RemoteError, match="cannot be reached; start it"):
        ask(client_of(f"http://127.0.0.1:{port}/v1", retries=1))


@pytest.mark.parametrize("drip", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"])
def test_a_hang_ends_in_time(client_of, drip):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = client_of(f"http://127.0.0.1:{silent.getsockname()[1]}/v1", seconds=0.3)
        begun = time.monotonic()
        if drip:
            import threading

            def talk():
                connection, _ = silent.accept()
                connection.sendall(drip)
                time.sleep(1)
                connection.close()

            threading.Thread(target=talk, daemon=True).start()
        with pytest.raises(RemoteError, match=r"did not answer within 0\.3 s"):
            ask(client, count=3)
        assert time.monotonic() - begun < 3


def test_what_may_pass_is_asked_again(server, client_of):
    server.faults += [(500, {}, b""), (429, {"Retry-After": "0"}, b"")]
    assert ask(client_of(server.url, retries=2))[0]["object"] == "chat.completion"
    assert len(server.asked) == 3


def test_what_will_not_pass_is_not_asked_again(server, client_of):
    server.faults.append((400, {}, b""))
    with pytest.raises(RemoteError):
        ask(client_of(server.url, retries=5))
    assert len(server.asked) == 1


def test_retry_after_is_waited_for(server, client_of):
    server.faults.append((429, {"Retry-After": "1"}, b""))
    begun = time.monotonic()
    ask(client_of(server.url, retries=1))
    assert time.monotonic() - begun >= 1.0


def test_a_server_that_fails_is_left_alone_and_then_asked_again(server, client_of, monkeypatch):
    server.faults += [(500, {}, b"")] * FAILURES
    client = client_of(server.url)
    clock = [0.0]
    monkeypatch.setattr(client._breaker, "_now", lambda: clock[0])
    for _ in range(FAILURES):
        with pytest.raises(RemoteError, match="HTTP status 500"):
            ask(client)
    with pytest.raises(RemoteError, match="left alone for 20 s"):
        ask(client)
    assert len(server.asked) == FAILURES
    clock[0] = REST_S
    assert len(ask(client, count=5)) == 5, "all questions of a case are let through together"
    assert ask(client)


def test_answers_come_in_order_over_connections_that_are_kept(server, client_of):
    client = client_of(server.url, at_once=3)
    for _ in range(2):
        answers = client.ask_all(
            [
                {
                    "model": "tiny",
                    "messages": [{"role": "user", "content": str(i)}],
                    "max_tokens": 1,
                }
                for i in range(9)
            ]
        )
        assert len(answers) == 9
    assert len(server.connections) <= 3
    assert sorted(each["messages"][0]["content"] for each in server.asked[:9]) == list("012345678")


def test_the_key_is_sent_and_never_logged(server, client_of, caplog):
    with caplog.at_level(logging.DEBUG):
        client = client_of(server.url, key="k-123")
        ask(client)
        server.faults.append((401, {}, b""))
        with pytest.raises(RemoteError) as caught:
            ask(client)
    assert server.headers[0]["Authorization"] == "Bearer k-123"
    assert "k-123" not in caplog.text + str(caught.value) + repr(vars(client))


def test_what_the_environment_says_is_not_read(server, client_of, monkeypatch, tmp_path):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://192.0.2.1:3128")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert ask(client_of(server.url))
    assert "Authorization" not in server.headers[0]


def test_certificates_must_be_there(tmp_path):
    (tmp_path / "none.pem").write_text("nothing")
    with pytest.raises(ConfigError, match=r"reader\.ca_file must be"):
        ChatClient(
            allowed_address("https://127.0.0.1/v1", "", ()), ca_file=str(tmp_path / "none.pem")
        )


def test_a_nested_bomb_is_within_the_limit():
    assert len(DEEP) < client_module.MOST_BYTES < len(HUGE)
