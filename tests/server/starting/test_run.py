"""Loading beside a page: it is there at once, and leaves its place without losing the socket."""

from __future__ import annotations

import json
import socket
import threading
import urllib.error
import urllib.request

import pytest

from jomed_app.config import AppConfig
from jomed_app.errors import BundleError
from jomed_app.server.starting import run
from jomed_app.server.starting.run import load_while_serving

SETTINGS = AppConfig(requests_per_minute=0)


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as found:
        yield found


def asked(listener, path, data=None):
    """Status and JSON of one request."""
    url = f"http://127.0.0.1:{listener.getsockname()[1]}{path}"
    try:
        with urllib.request.urlopen(url, data, timeout=20) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def started(listener, load):
    return load_while_serving(
        load, SETTINGS, listener, models="reader x", index="mine", on_start=lambda: None
    )


def test_the_page_answers_while_it_loads_and_the_socket_stays(listener):
    seen = {}

    def load(on_load):
        on_load("loading the reader", 2**20, 4 * 2**20)
        seen["moment"] = asked(listener, "/starting")
        seen["ready"] = asked(listener, "/readyz")
        seen["upload"] = asked(listener, "/gradio_api/upload", b"x")
        return "an engine"

    assert started(listener, load) == "an engine"
    assert seen["moment"][1]["share"] == 0.25
    assert seen["ready"][0] == 503
    assert seen["upload"][0] == 503
    assert "still being loaded" in seen["upload"][1]["detail"]
    with socket.create_connection(listener.getsockname(), timeout=5):
        listener.settimeout(5)
        listener.accept()[0].close()  # the next app answers whoever asks meanwhile


def test_what_the_loading_raises_ends_the_page(listener):
    def load(on_load):
        raise BundleError("a bundle must be whole")

    with pytest.raises(BundleError, match="must be whole"):
        started(listener, load)


def test_a_signal_ends_the_loading_at_its_next_piece(listener, monkeypatch):
    began, went_on = threading.Event(), []

    def load(on_load):
        began.set()
        for done in range(10_000):
            on_load("loading the reader", done, 10_000)
            threading.Event().wait(0.01)
        went_on.append(True)

    monkeypatch.setattr(
        run.StartingServer,
        "on_tick",
        lambda server, counter: ended_by_signal(server, began),
    )
    assert started(listener, load) is None
    assert not went_on


async def ended_by_signal(server, began) -> bool:
    if began.is_set():
        server.handle_exit(2, None)
    return server.should_exit
