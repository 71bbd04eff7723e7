"""The list's handlers: joining, showing again as it was left, marks, words and the table."""

from __future__ import annotations

import base64
import csv
import io

import pytest

from jomed_app.types import ConsistencyState
from jomed_app.ui import text
from jomed_app.ui.handlers.case import open_case, run_case
from jomed_app.ui.handlers.removal import remove_candidate
from jomed_app.ui.session import CaseStore
from jomed_app.ui.study.study import Studies
from jomed_app.ui.worklist.handlers import (
    enlist,
    list_value,
    mark_row,
    row_asked,
    show_row,
    table_server,
)
from jomed_app.ui.worklist.rows import MOST_ROWS
from tests.ui.fake_engine import FakeEngine, png_bytes


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def store(engine) -> CaseStore:
    """Two images: the first is open and read, the second was read behind it."""
    store = CaseStore()
    open_case(engine, store, "a", png_bytes(1), row=1)
    list(run_case(engine, store, "a"))
    second = enlist(engine, store, "a", 2, png_bytes(2))
    assert list(run_case(engine, store, "a", second)) != []
    return store


def table(store: CaseStore) -> list[dict[str, str]]:
    key = list_value(store, "a")["key"]
    file = table_server(store)({"key": key})
    return list(csv.DictReader(io.StringIO(base64.b64decode(file["data"]).decode())))


@pytest.mark.parametrize(
    "sent", [{}, {"row": 0}, {"row": True}, {"row": "1"}, {"row": MOST_ROWS + 1}]
)
def test_what_is_no_row_is_none(sent):
    assert row_asked(sent) is None
    assert row_asked({"row": MOST_ROWS}) == MOST_ROWS


def test_what_is_read_behind_draws_nothing_and_is_a_row(engine, store):
    third = enlist(engine, store, "a", 3, png_bytes(3))
    assert set(run_case(engine, store, "a", third)) == {None}
    assert store.get("a").row == 1
    value = list_value(store, "a")
    assert value["current"] == 1
    assert [each["state"] for each in value["rows"]] == ["read"] * 3
    assert value["rows"][2]["words"].startswith("malignant 0.")


def test_a_run_goes_on_behind_another_image_and_is_drawn_again_when_shown(engine, store):
    open_case(engine, store, "a", png_bytes(4), row=4)
    case = store.get("a")
    steps = run_case(engine, store, "a", case)
    assert next(steps) is not None
    show_row(engine, store, "a", 1)
    assert next(steps) is None
    assert list_value(store, "a")["rows"][2]["state"] == "reading"
    screen = show_row(engine, store, "a", 4)
    assert screen.is_busy
    *_, last = steps
    assert last.status.sentence.startswith("Done")
    assert case.result is not None


def test_a_row_is_shown_as_it_was_left(engine, store):
    remove_candidate(engine, store, "a", "case-0")
    show_row(engine, store, "a", 2)
    screen = show_row(engine, store, "a", 1)
    assert screen.status.sentence == text.STATUS_LISTED
    assert store.get("a").removed == {"case-0"}
    gone = [pane["id"] for pane in screen.viewer["panes"] if pane.get("removed")]
    assert gone == ["case-0"]
    assert screen.checks is not None
    assert screen.viewer["case"] == store.get("a").token
    assert not screen.is_busy


def test_a_row_that_is_not_there_says_so_and_changes_nothing(engine, store):
    for row in (None, 7):
        screen = show_row(engine, store, "a", row)
        assert screen.banner.sentence == text.ROW_GONE
        assert screen.viewer is None
    assert store.get("a").row == 1


def test_a_refused_file_is_a_row_with_its_sentence(engine, store):
    assert enlist(engine, store, "a", 3, b"MZ this is a program") is None
    row = list_value(store, "a")["rows"][2]
    assert (row["state"], row["held"]) == ("refused", False)
    assert row["words"].startswith("A DICOM, PNG")
    screen = show_row(engine, store, "a", 3)
    assert screen.banner.sentence == row["words"]
    assert not screen.has_case
    open_case(engine, store, "a", b"MZ", row=4)
    assert list_value(store, "a")["rows"][3]["state"] == "refused"


def test_a_fault_of_the_engine_is_noted_beside_the_row(engine, store):
    class Failing(FakeEngine):
        def run(self, *arguments, **more):
            raise RuntimeError("DOE_JOHN.png")
            yield

    case = enlist(engine, store, "a", 3, png_bytes(3))
    assert list(run_case(Failing(), store, "a", case)) == []
    row = list_value(store, "a")["rows"][2]
    assert row["state"] == "stopped"
    assert "incident" in row["words"]
    assert "DOE" not in row["words"]


def test_marks_are_set_and_taken_away(store):
    mark_row(store, "a", 1, "done")
    mark_row(store, "a", 2, "again")
    mark_row(store, "a", 9, "done")
    mark_row(store, "b", 1, "done")
    assert [row["mark"] for row in list_value(store, "a")["rows"]] == ["done", "again"]
    mark_row(store, "a", 1, "done")
    mark_row(store, "a", 2, "nonsense")
    assert [row["mark"] for row in list_value(store, "a")["rows"]] == ["", ""]


def test_the_table_keeps_the_rows_of_images_that_left(engine, store):
    enlist(engine, store, "a", 3, b"MZ")
    mark_row(store, "a", 2, "done")
    with store.worklist("a") as listed:
        listed.let_go(store._cases["a"][1], images=1)
    rows = table(store)
    assert [row["state"] for row in rows] == ["read", "left", "refused"]
    assert [row["answer"] for row in rows] == ["malignant", "malignant", ""]
    assert rows[1]["mark"] == "done"
    assert len(rows[1]["pixels_sha256"]) == 64
    assert rows[2]["not_read_because"].startswith("A DICOM, PNG")
    assert text.LISTED_LEFT in list_value(store, "a")["rows"][1]["words"]


def test_a_table_of_nothing_is_a_sentence(store):
    for request in ({}, {"key": "another"}, {"key": 7}, None):
        assert table_server(store)(request) == {"error": text.LIST_GONE}


def test_an_abstention_has_words_of_its_own(store):
    engine = FakeEngine(state=ConsistencyState.ABSTAIN)
    case = enlist(engine, store, "a", 3, png_bytes(3))
    list(run_case(engine, store, "a", case))
    assert list_value(store, "a")["rows"][2]["words"] == text.LISTED_NO_ANSWER
    assert table(store)[2]["no_answer_because"] != ""


def test_without_a_list_there_is_nothing():
    assert list_value(CaseStore(), "a") == {"key": "", "current": None, "rows": []}


def test_what_is_read_first_by_the_visitor_is_not_told_by_the_list(engine):
    store = CaseStore()
    store.studies = Studies("required")
    for number in (1, 2):
        case = enlist(engine, store, "a", number, png_bytes(number))
        list(run_case(engine, store, "a", case))
    began = case.study
    assert [row["words"] for row in list_value(store, "a")["rows"]] == [text.LISTED_HIDDEN] * 2
    assert "answer" not in {name for row in table(store) for name, value in row.items() if value}
    screen = show_row(engine, store, "a", 2)
    assert case.study is not began, "the clock begins when the image is shown"
    assert not any(pane.get("boxes") for pane in screen.viewer["panes"])
    show_row(engine, store, "a", 1)
    begun = case.study
    show_row(engine, store, "a", 2)
    assert case.study is begun
    case.study.skip()
    assert list_value(store, "a")["rows"][1]["words"].startswith("malignant 0.")
    assert [row["answer"] for row in table(store)] == ["", "malignant"]
    with store.worklist("a") as listed:
        listed.let_go(case, images=1)
    assert [row["answer"] for row in table(store)] == ["", "malignant"]
