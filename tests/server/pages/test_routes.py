"""The pages pass the gate, carry the headers, and ask for nothing but what lies beside them."""

from __future__ import annotations

import re
from functools import lru_cache

import pytest
from starlette.testclient import TestClient

from jomed_app.config import AppConfig
from jomed_app.server.drain import Drain
from jomed_app.server.gate.accounts import Accounts
from jomed_app.server.health import Health
from jomed_app.server.pages.failures import FailureReading
from jomed_app.server.pages.routes import Pages
from jomed_app.server.shell import Gate, build_shell
from jomed_app.ui import text
from jomed_app.ui.line import Line
from jomed_app.ui.uploads import UploadStore
from tests.ui.fake_engine import FakeEngine, FakeInfo
from tests.ui.fake_shelf import shipped_shelf

BESIDE = [each for each in text.PAGES if each != "./"]


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    @lru_cache
    def start(gate: Gate | None = None) -> TestClient:
        health = Health("b", "i", is_ready=lambda: True)
        shell = build_shell(
            AppConfig(),
            health,
            Drain(1),
            UploadStore(tmp_path_factory.mktemp("uploads")),
            gate,
            pages=Pages(shipped_shelf(FakeInfo()), FailureReading(FakeEngine(), Line(2), count=3)),
        )
        return TestClient(shell, base_url="http://127.0.0.1")

    return start


@pytest.mark.parametrize("address", BESIDE)
def test_a_page_is_whole_and_asks_nobody_else(client, address):
    answer = client().get(f"/{address}")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    loaded = re.findall(r'(?:src|href)="([^"]+)"', re.sub(r"<a [^>]*>", "", answer.text))
    assert {each for each in loaded if not each.startswith("data:")} == {"pages.css", "pages.js"}
    assert "<script>" not in answer.text
    assert client().get(f"/{address}").text == answer.text, "made once"


def test_style_and_script_are_there(client):
    assert "--j-page" in client().get("/pages.css").text
    assert client().get("/pages.js").headers["content-type"].startswith("text/javascript")


@pytest.mark.parametrize("address", [*BESIDE, "pages.css"])
def test_who_has_to_log_in_has_to_here_too(client, address):
    gate = Gate(Accounts([("reader", "long enough")]))
    assert client(gate).get(f"/{address}").status_code == 401
    told = client(gate).get(f"/{address}", auth=("reader", "long enough"))
    assert told.status_code == 200


def test_a_server_without_pages_answers_as_before(tmp_path):
    shell = build_shell(
        AppConfig(), Health("b", "i", is_ready=lambda: True), Drain(1), UploadStore(tmp_path)
    )
    assert TestClient(shell, base_url="http://127.0.0.1").get("/about").status_code == 404


def test_the_failures_are_read_once_and_told_as_they_come(client):
    """The fake engine answers every case alike; the cases are the simulator's own."""
    with client() as here:
        assert 'data-state="idle"' in here.get("/evidence/failures").text
        assert "Read 3 simulated cases now" in here.get("/evidence/failures").text
        assert here.post("/evidence/failures", json={}).status_code == 200
        while 'data-state="over"' not in (said := here.get("/evidence/failures").text):
            assert 'data-state="running"' in said
        wrong = said.count('<li class="failure">')
        assert f"{wrong} of 3 answers are wrong" in said
        assert said.count("data:image/png") == wrong
        assert here.post("/evidence/failures", json={}).text == said, "once"
