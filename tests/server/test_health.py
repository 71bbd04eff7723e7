"""The three probes."""

from __future__ import annotations

import json

import pytest
from starlette.applications import Starlette

from jomed_app import __version__
from jomed_app.imaging.decoder import DecoderHealth
from jomed_app.server.health import Health, decoder_faults
from jomed_app.types import Versions
from tests.server.asking import ask


@pytest.fixture
def state():
    return {"ready": False, "faults": []}


@pytest.fixture
def app(state):
    health = Health("b 1", "i 2", lambda: state["ready"], lambda: state["faults"])
    return Starlette(routes=health.routes())


def test_a_server_is_ready_only_once_it_is(app, state):
    assert ask(app, path="/readyz").status == 503
    state["ready"] = True
    assert ask(app, path="/readyz").status == 200


def test_a_fault_makes_the_server_unhealthy_and_is_named(app, state):
    assert ask(app, path="/healthz").status == 200
    state["faults"] = ["a step over its budget"]
    answer = ask(app, path="/healthz")
    assert answer.status == 503
    assert json.loads(answer.body) == {"status": "fault", "faults": ["a step over its budget"]}


def test_the_version_tells_versions_and_nothing_else(app):
    assert json.loads(ask(app, path="/version").body) == {
        "app": __version__,
        "bundle": "b 1",
        "index": "i 2",
        "schema": Versions.model_fields["schema_"].default,
    }


@pytest.mark.parametrize(
    ("alive", "wanted", "busy_s", "faults"),
    [
        (0, 0, (), []),  # before the first file
        (2, 2, (3.0, 0.1), []),
        (1, 2, (), []),  # one is being replaced
        (0, 2, (), ["no decoder runs"]),
        (2, 2, (80.0,), ["a decoder outlived its limit"]),
    ],
)
def test_decoders_that_are_gone_or_late_are_a_fault(alive, wanted, busy_s, faults):
    found = DecoderHealth(alive, wanted, busy_s, waiting=0, killed=0, crashed=0, in_force=())
    assert decoder_faults(found, limit_s=10) == faults


def test_it_tells_how_far_the_loading_is_until_it_is_over(app):
    assert json.loads(ask(app, path="/starting").body) == {"is_over": True}
    loading = Health("b 1", "i 2", lambda: False, loading=lambda: {"share": 0.5})
    part = Starlette(routes=loading.routes())
    assert json.loads(ask(part, path="/starting").body) == {"share": 0.5}
