"""The switch between the two searches: what the page says of each, what it reads and remembers."""

from __future__ import annotations

import pytest

from jomed_app.ui import handlers, switch, text
from jomed_app.ui.panels import searches
from jomed_app.ui.session import CaseStore
from tests.ui.fake_engine import FakeEngine, FakeInfo, png_bytes

TWO_SEARCHES = FakeInfo(standard=FakeInfo(measured_on="30 others", error_rates={"disagree": 0.44}))

NOTE = text.API_NOTE.format(search="standard")


@pytest.fixture
def store() -> CaseStore:
    return CaseStore()


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(info=TWO_SEARCHES)


def opened(engine, store, session="a", seed=0):
    handlers.open_case(engine, store, session, png_bytes(seed))
    return list(handlers.run_case(engine, store, session))[-1]


def switched(engine, store, retrieval, session="a"):
    first = switch.choose_search(engine, store, session, retrieval)
    return [first, *handlers.run_case(engine, store, session)][-1]


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


def test_the_strip_says_what_dropped_out_and_claims_nothing_for_the_image(engine, store):
    search = opened(engine, store).viewer["search"]
    assert (search["chosen"], search["busy"]) == ("joint", False)
    assert [each["title"] for each in search["options"]] == ["Standard RAG", "Jointly optimised"]
    assert "Dropped out (rank by similarity alone): 1st <b>benign</b>" in search["change"]
    assert "4th <b>benign</b>" in search["change"]
    assert "trained on which cases help the reader" in search["meaning"]
    assert "No promise for this image" in search["meaning"]
    assert "led to" not in search["change"], "the other search was not read yet"


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
    assert searches.STATUS_SWITCHED in back.status
    assert back.viewer["search"]["chosen"] == "joint"
    assert "Standard RAG led to" in back.viewer["search"]["change"]
    assert back.is_busy is False
    assert list(handlers.run_case(engine, store, "a")) == []


def test_the_panel_shows_what_was_measured_with_that_search(engine, store):
    panel = opened(engine, store).panel
    assert "Measured on 40 fake images" in panel
    assert "wrong in 31 %" in panel
    assert NOTE not in panel
    panel = switched(engine, store, "standard").panel
    assert "Measured on 30 others" in panel
    assert "wrong in 44 %" in panel
    assert NOTE in panel


def test_the_choice_holds_for_the_next_case_of_the_session_only(engine, store):
    opened(engine, store)
    opened(engine, store, "b", seed=5)
    switched(engine, store, "standard")
    assert opened(engine, store, seed=1).viewer["search"]["chosen"] == "standard"
    handlers.purge_case(engine, store, "a")
    assert opened(engine, store, seed=2).viewer["search"]["chosen"] == "standard"
    assert opened(engine, store, "b", seed=3).viewer["search"]["chosen"] == "joint"
    store.end("a")
    assert opened(engine, store, seed=4).viewer["search"]["chosen"] == "joint"


def test_the_oldest_choices_are_forgotten():
    store = CaseStore(max_sessions=2)
    for session in "abc":
        store.choose_search(session, "standard")
    assert [store.search(session) for session in "abc"] == ["joint", "standard", "standard"]


def test_removals_are_not_carried_from_search_to_search(engine, store):
    opened(engine, store)
    handlers.remove_candidate(engine, store, "a", "case-1")
    screen = switched(engine, store, "standard")
    assert not any(pane.get("removed") for pane in screen.viewer["panes"])
    handlers.remove_candidate(engine, store, "a", "case-1")
    back = switched(engine, store, "joint")
    assert store.get("a").removed == frozenset()
    assert "What if" not in back.panel


def test_a_search_is_switched_when_its_run_is_over(engine, store):
    handlers.open_case(engine, store, "a", png_bytes())
    run = handlers.run_case(engine, store, "a")
    next(run)
    found = next(run)
    assert found.viewer["search"]["busy"] is True
    screen = switch.choose_search(engine, store, "a", "standard")
    assert searches.NOT_READY in screen.banner
    assert store.search("a") == "joint"
    run.close()


def test_without_a_case_the_page_says_so(engine, store):
    assert text.NO_CASE in switch.choose_search(engine, store, "a", "joint").banner


def test_one_search_shows_no_switch(store):
    engine = FakeEngine()
    screen = opened(engine, store)
    assert screen.viewer["search"] is None
    assert not any('class="change' in card for card in cards(screen).values())
    refused = switch.choose_search(engine, store, "a", "standard")
    assert searches.ONE_SEARCH in refused.banner


def test_a_purged_case_leaves_neither_result(engine, store):
    opened(engine, store)
    switched(engine, store, "standard")
    case = store.get("a")
    assert set(case.results) == {"joint", "standard"}
    handlers.purge_case(engine, store, "a")
    assert case.results == {}


@pytest.mark.parametrize(
    ("number", "word"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (13, "13th"),
     (21, "21st"), (50, "50th"), (111, "111th")],
)  # fmt: skip
def test_ordinals(number, word):
    assert searches.ordinal(number) == word


def test_the_same_cases_are_said_to_be_the_same(engine, store):
    opened(engine, store)
    case = store.get("a")
    result = case.result
    same = [each.model_copy(update={"other_rank": each.rank}) for each in result.candidates]
    for candidates, sentence in (
        (same, searches.SAME_CASES),
        (result.candidates, searches.SAME_SET),
    ):
        reading = handlers.reading_of(
            result.model_copy(update={"candidates": tuple(candidates), "dropped": ()})
        )
        assert sentence in searches.strip(case, reading, engine.info)["change"]


def test_an_abstention_of_the_other_search_is_no_answer(engine, store):
    opened(engine, store)
    case = store.get("a")
    final = case.result.final.model_copy(update={"prediction": None})
    case.results["joint"] = case.result.model_copy(update={"final": final})
    change = switched(engine, store, "standard").viewer["search"]["change"]
    assert "Jointly optimised led to no diagnosis." in change
