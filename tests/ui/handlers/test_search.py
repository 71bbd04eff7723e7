"""Switching between the two searches: what is read, what is shown from memory, what is kept."""

from __future__ import annotations

import pytest

from jomed_app.ui import text
from jomed_app.ui.handlers.case import open_case, purge_case, run_case
from jomed_app.ui.handlers.removal import remove_candidate
from jomed_app.ui.handlers.search import choose_search
from jomed_app.ui.session import CaseStore
from tests.ui.fake_engine import FakeEngine, FakeInfo, png_bytes

TWO_SEARCHES = FakeInfo(
    standard=FakeInfo(measured_on="30 others", error_rates={"contradicted": 0.44})
)


@pytest.fixture
def store() -> CaseStore:
    return CaseStore()


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(info=TWO_SEARCHES)


def opened(engine, store, session="a", seed=0):
    open_case(engine, store, session, png_bytes(seed))
    return list(run_case(engine, store, session))[-1]


def switched(engine, store, retrieval, session="a"):
    first = choose_search(engine, store, session, retrieval)
    return [first, *run_case(engine, store, session)][-1]


def cards(screen):
    return {pane["id"]: pane["card"] for pane in screen.viewer["panes"]}


def test_every_card_says_where_its_case_stood_before(engine, store):
    said = cards(opened(engine, store))
    assert "was 7th by similarity alone" in said["case-0"]
    assert "is-up" in said["case-0"]
    assert "unchanged: 2nd in both searches" in said["case-1"]
    assert "new: not among the first 50 by similarity alone" in said["case-2"]
    assert "was 3rd by similarity alone" in said["case-3"]
    assert "is-down" in said["case-3"]
    assert 'class="change' not in said["case-9"], "the counter-case was not searched"


def test_the_other_search_is_read_once_and_then_shown_from_memory(engine, store):
    opened(engine, store)
    screen = switched(engine, store, "standard")
    assert engine.num_runs == 2
    assert [pane["id"] for pane in screen.viewer["panes"]][1:5] == [
        "case-5",
        "case-1",
        "case-3",
        "case-6",
    ]
    search = screen.viewer["search"]
    assert search["chosen"] == "standard"
    assert "Not shown here (rank when jointly optimised): 1st <b>malignant</b>" in search["change"]
    assert "Jointly optimised led to <b>malignant</b>" in search["change"]
    assert "6th when jointly optimised" in cards(screen)["case-5"]
    assert "was 6th" not in cards(screen)["case-5"]
    assert "is-down" in cards(screen)["case-5"], "joint training moved it down"
    assert "is-gone" in cards(screen)["case-6"]

    back = switched(engine, store, "joint")
    assert engine.num_runs == 2
    assert text.STATUS_SWITCHED in back.status.sentence
    assert back.viewer["search"]["chosen"] == "joint"
    assert "Standard RAG led to" in back.viewer["search"]["change"]
    assert back.is_busy is False
    assert list(run_case(engine, store, "a")) == []


def test_the_panel_shows_what_was_measured_with_that_search(engine, store):
    column = opened(engine, store).diagnosis
    assert "Measured on 40 fake images" in column.final.measured
    assert column.agreement.error_rate == 0.31
    assert not column.provenance.is_other_search
    column = switched(engine, store, "standard").diagnosis
    assert "Measured on 30 others" in column.final.measured
    assert column.agreement.error_rate == 0.44
    assert column.provenance.is_other_search


def test_the_choice_holds_for_the_next_case_of_the_session_only(engine, store):
    opened(engine, store)
    opened(engine, store, "b", seed=5)
    switched(engine, store, "standard")
    assert opened(engine, store, seed=1).viewer["search"]["chosen"] == "standard"
    purge_case(store, "a")
    assert opened(engine, store, seed=2).viewer["search"]["chosen"] == "standard"
    assert opened(engine, store, "b", seed=3).viewer["search"]["chosen"] == "joint"
    store.end("a")
    assert opened(engine, store, seed=4).viewer["search"]["chosen"] == "joint"


def test_removals_are_not_carried_from_search_to_search(engine, store):
    opened(engine, store)
    remove_candidate(engine, store, "a", "case-1")
    screen = switched(engine, store, "standard")
    assert not any(pane.get("removed") for pane in screen.viewer["panes"])
    remove_candidate(engine, store, "a", "case-1")
    back = switched(engine, store, "joint")
    assert store.get("a").removed == frozenset()
    assert back.diagnosis.influence.words == ""


def test_a_search_is_switched_when_its_run_is_over(engine, store):
    open_case(engine, store, "a", png_bytes())
    run = run_case(engine, store, "a")
    next(run)
    found = next(run)
    assert found.viewer["search"]["busy"] is True
    screen = choose_search(engine, store, "a", "standard")
    assert text.SEARCH_NOT_READY in screen.banner.sentence
    assert store.search("a") == "joint"
    run.close()


def test_without_a_case_the_page_says_so(engine, store):
    assert text.NO_CASE in choose_search(engine, store, "a", "joint").banner.sentence


def test_one_search_shows_no_switch(store):
    engine = FakeEngine()
    screen = opened(engine, store)
    assert screen.viewer["search"] is None
    assert not any('class="change' in card for card in cards(screen).values())
    refused = choose_search(engine, store, "a", "standard")
    assert text.ONE_SEARCH in refused.banner.sentence


def test_a_purged_case_leaves_neither_result(engine, store):
    opened(engine, store)
    switched(engine, store, "standard")
    case = store.get("a")
    assert set(case.results) == {"joint", "standard"}
    purge_case(store, "a")
    assert case.results == {}
