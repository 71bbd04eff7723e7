"""The example that the page opens with: read once, by the model, and shown to every visitor."""

from __future__ import annotations

import pytest

from jomed_app.ui import text
from jomed_app.ui.examples import Example
from jomed_app.ui.handlers.case import open_case, purge_case, run_case
from jomed_app.ui.handlers.opening import Opening
from jomed_app.ui.session import CaseStore
from tests.ui.fake_engine import FakeEngine, png_bytes


@pytest.fixture
def opening(tmp_path) -> Opening:
    path = tmp_path / "a.png"
    path.write_bytes(png_bytes(1))
    return Opening(Example(path, "Misread mass", known="benign", opens=True))


def test_the_first_visitor_has_it_read_and_the_next_finds_it_finished(opening):
    engine, store = FakeEngine(), CaseStore()
    first = opening.open(engine, store, "one")
    assert first.is_busy
    assert engine.num_runs == 0
    last = list(run_case(engine, store, "one"))[-1]
    assert (engine.num_runs, last.is_busy) == (1, False)
    second = opening.open(engine, store, "two")
    assert (engine.num_runs, second.is_busy) == (1, False)
    assert second.status.sentence == text.STATUS_OPENING
    assert second.diagnosis.answer == last.diagnosis.answer
    assert second.diagnosis.caption == last.diagnosis.caption
    assert "drawn" not in second.diagnosis.caption.words
    assert "drew this image as benign" in second.viewer["caption"]
    assert list(run_case(engine, store, "two")) == [], "there is nothing left to read"


def test_the_result_outlives_the_case_of_the_first_visitor(opening):
    engine, store = FakeEngine(), CaseStore()
    opening.open(engine, store, "one")
    list(run_case(engine, store, "one"))
    purge_case(store, "one")
    assert not opening.open(engine, store, "two").is_busy
    assert engine.num_runs == 1


def test_what_is_kept_is_of_the_example_alone(opening):
    engine, store = FakeEngine(), CaseStore()
    opening.open(engine, store, "one")
    list(run_case(engine, store, "one"))
    open_case(engine, store, "one", png_bytes(2))
    case = store.get("one")
    assert case.kept_results is None
    assert case.drawn_as == ""
    list(run_case(engine, store, "one"))
    assert engine.num_runs == 2
    again = opening.open(engine, store, "two")
    assert store.get("two").result != case.result
    assert "An example" in again.viewer["caption"]


def test_an_example_that_cannot_be_decoded_says_so(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"no image")
    screen = Opening(Example(path, "x", "benign", True)).open(FakeEngine(), CaseStore(), "one")
    assert screen.banner.sentence
    assert not screen.has_case
