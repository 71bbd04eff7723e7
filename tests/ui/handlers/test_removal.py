"""What if: candidates taken out and put back, without the model."""

from __future__ import annotations

import pytest

from jomed_app.ui import text
from jomed_app.ui.handlers.case import open_case
from jomed_app.ui.handlers.removal import (
    answer_without_decisive,
    move_weight,
    remove_candidate,
    restore_candidate,
)
from tests.ui.fake_engine import FakeEngine, png_bytes
from tests.ui.handlers.running import run_to_end


def test_the_answer_without_the_decisive_candidate_is_known(store):
    engine = FakeEngine()
    agreement = run_to_end(engine, store)[-1].diagnosis.agreement
    assert (agreement.decisive_rank, agreement.flip_to) == (1, "benign")
    result = store.get("a").result
    none = result.consistency.model_copy(update={"decisive_candidate": None})
    alone = {"candidates": result.candidates[:1]}
    assert answer_without_decisive(engine, result) == "benign"
    for update in ({"consistency": none}, alone, {"candidates": result.candidates[1:]}):
        assert answer_without_decisive(engine, result.model_copy(update=update)) is None


def test_removal_recomputes_without_the_model(store):
    engine = FakeEngine()
    run_to_end(engine, store)
    screen = remove_candidate(engine, store, "a", "case-0")
    assert engine.num_runs == 1
    assert "3 of 4 similar cases" in screen.status.sentence
    assert screen.diagnosis.final.prediction == "benign"
    assert screen.diagnosis.influence.words == "without 1 similar case"
    panes = {pane["id"]: pane for pane in screen.viewer["panes"]}
    assert panes["case-0"]["removed"] is True
    assert 'data-action="restore"' in panes["case-0"]["card"]
    assert list(panes)[:5] == ["query", "case-0", "case-1", "case-2", "case-3"]

    back = restore_candidate(engine, store, "a")
    assert back.diagnosis.final.prediction == "malignant"
    assert back.status.sentence == text.STATUS_RESTORED
    assert not any(pane.get("removed") for pane in back.viewer["panes"])


def test_one_candidate_of_two_removed_can_come_back_alone(store):
    engine = FakeEngine()
    run_to_end(engine, store)
    remove_candidate(engine, store, "a", "case-0")
    remove_candidate(engine, store, "a", "case-1")
    screen = restore_candidate(engine, store, "a", "case-0")
    removed = [pane["id"] for pane in screen.viewer["panes"] if pane.get("removed")]
    assert removed == ["case-1"]


def test_the_last_candidate_stays(store):
    engine = FakeEngine()
    run_to_end(engine, store)
    for number in range(3):
        assert remove_candidate(engine, store, "a", f"case-{number}").viewer
    refused = remove_candidate(engine, store, "a", "case-3")
    assert text.LAST_CANDIDATE in refused.banner.sentence
    assert refused.viewer is None


def test_removal_waits_for_the_end_of_the_run(store):
    engine = FakeEngine()
    open_case(engine, store, "a", png_bytes())
    assert text.NOT_FINISHED in remove_candidate(engine, store, "a", "case-0").banner.sentence


def test_a_candidate_of_nowhere_changes_nothing(store):
    engine = FakeEngine()
    run_to_end(engine, store)
    screen = remove_candidate(engine, store, "a", "case-77")
    assert screen.diagnosis.influence.words == ""
    assert store.get("a").removed == frozenset()


def test_a_fault_while_recomputing_leaves_the_page_as_it_is(store, caplog):
    class Broken(FakeEngine):
        def recompute(self, result, removed=(), **moved):
            raise RuntimeError("x")

    run_to_end(FakeEngine(), store)
    screen = remove_candidate(Broken(), store, "a", "case-0")
    assert "incident" in screen.banner.sentence
    assert (screen.viewer, screen.diagnosis, store.get("a").removed) == (None, None, frozenset())


@pytest.mark.parametrize("act", [remove_candidate, restore_candidate])
def test_without_a_case_the_page_says_so(store, act):
    screen = act(FakeEngine(), store, "a", "case-0")
    assert screen.banner.sentence == text.NO_CASE
    assert screen.has_case is False


def test_a_weight_is_moved_beside_a_removal_and_one_reset_undoes_both(store):
    engine = FakeEngine()
    run_to_end(engine, store)
    own = store.get("a").result
    remove_candidate(engine, store, "a", "case-3")
    screen = move_weight(engine, store, "a", "case-1", 2)
    assert engine.num_runs == 1
    assert screen.diagnosis.influence.words == "without 1 similar case, 1 weight changed"
    shown = screen.diagnosis.provenance.result
    assert shown == engine.recompute(own, {"case-3"}, factors={"case-1": 4.0})
    assert screen.diagnosis.final.prediction == "benign"
    assert store.get("a").result is own

    back = restore_candidate(engine, store, "a")
    assert back.diagnosis.provenance.result == own
    assert (store.get("a").removed, store.get("a").factors) == (frozenset(), {})


def test_a_move_sends_no_picture_that_the_page_has(store):
    engine = FakeEngine()
    run_to_end(engine, store)
    screen = move_weight(engine, store, "a", "case-1", 1)
    assert {pane["image"] for pane in screen.viewer["panes"]} == {""}
    engine.counter = "case-8"  # another one, which the page has not seen
    panes = {
        pane["id"]: pane for pane in move_weight(engine, store, "a", "case-1", 2).viewer["panes"]
    }
    assert panes["case-8"]["image"].startswith("data:image/png")


def test_back_in_the_middle_nothing_is_moved(store):
    engine = FakeEngine()
    run_to_end(engine, store)
    move_weight(engine, store, "a", "case-1", 2)
    screen = move_weight(engine, store, "a", "case-1", 0)
    assert screen.diagnosis.influence.words == ""
    assert screen.status.sentence == text.STATUS_RESTORED


@pytest.mark.parametrize("value", [None, "2", True, float("nan"), [1]])
def test_what_is_no_number_moves_nothing(store, value):
    engine = FakeEngine()
    run_to_end(engine, store)
    screen = move_weight(engine, store, "a", "case-1", value)
    assert (screen.viewer, screen.diagnosis, store.get("a").factors) == (None, None, {})


def test_a_weight_ends_where_its_slider_does(store):
    engine = FakeEngine()
    run_to_end(engine, store)
    move_weight(engine, store, "a", "case-1", 99)
    assert store.get("a").factors == {"case-1": 16.0}
    move_weight(engine, store, "a", "nowhere", 1)
    assert store.get("a").factors == {"case-1": 16.0}
    move_weight(engine, store, "a", "", 0.5)  # no classifier speaks here
    assert store.get("a").image_share is None
