"""What the app answers while the models are being loaded."""

from __future__ import annotations

import json

import pytest

from jomed_app.config import AppConfig
from jomed_app.server.starting.page import starting_app
from jomed_app.server.starting.state import LoadState
from jomed_app.ui import text
from tests.server.asking import ask


@pytest.fixture
def state():
    return LoadState()


@pytest.fixture
def app(state):
    return starting_app(AppConfig(requests_per_minute=0), state, "reader <b>x</b>, nf4", "mine")


def test_the_page_says_what_is_loaded_and_how_far(app, state):
    state("loading the reader", 3 * 2**20, 12 * 2**20)
    answer = ask(app)
    body = answer.body.decode()
    assert answer.status == 200
    assert text.TITLE in body
    assert "reader &lt;b&gt;x&lt;/b&gt;, nf4" in body
    assert 'value="0.2500"' in body
    assert "loading the reader, 3.0 of 12.0 MB" in body
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"


def test_the_script_is_told_how_far_it_is(app, state):
    state("loading the reader", 3 * 2**20, 12 * 2**20)
    told = json.loads(ask(app, path="/starting").body)
    assert (told["share"], told["amount"]) == (0.25, "3.0 of 12.0 MB")


def test_it_lives_and_is_not_ready(app):
    assert ask(app, path="/healthz").status == 200
    assert ask(app, path="/readyz").status == 503
    assert json.loads(ask(app, path="/version").body)["index"] == "mine"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/gradio_api/upload"),
        ("POST", "/gradio_api/call/diagnose"),
        ("GET", "/config"),
        ("GET", "/gradio_api/info"),
    ],
)
def test_whatever_needs_the_model_is_told_so_in_a_sentence(app, state, method, path):
    state("loading the reader", 3 * 2**20, 12 * 2**20)
    answer = ask(app, path=path, method=method)
    assert answer.status == 503
    assert answer.headers["retry-after"] == "10"
    assert answer.sentence == (
        "A case needs the models, which are still being loaded "
        "(loading the reader, 3.0 of 12.0 MB); try again in a minute."
    )


def test_a_foreign_name_is_refused_as_on_the_page(app):
    assert ask(app, headers={"host": "evil.example"}).status == 421


@pytest.mark.parametrize("path", ["/starting.css", "/starting.js"])
def test_style_and_script_are_there(app, path):
    answer = ask(app, path=path)
    assert answer.status == 200
    assert len(answer.body) > 500
