"""The rows of a list: states, bounds in images and bytes, what leaves first, and purge."""

from __future__ import annotations

import pytest

from jomed_app.imaging import read_image
from jomed_app.ui.session import Case, CaseStore
from jomed_app.ui.worklist.rows import LEFT_UNREAD, Worklist, held_bytes
from tests.ui.fake_engine import FakeEngine, png_bytes
from tests.ui.handlers.running import run_to_end
from tests.ui.test_session import Clock


def new_case(row: int | None, seed: int = 0) -> Case:
    return Case(image=read_image(png_bytes(seed)), row=row)


@pytest.fixture(scope="module")
def result():
    store = CaseStore()
    run_to_end(FakeEngine(), store)
    return store.get("a").result


def test_a_case_counts_its_pixels_once_and_its_file():
    case = new_case(1)
    rows, columns = case.image.size_px
    assert held_bytes(None) == 0
    assert rows * columns <= held_bytes(case) <= 3 * rows * columns + 1
    case.file_bytes = b"12345"
    assert held_bytes(case) - held_bytes(new_case(1)) == 5


def test_the_state_of_a_row(result):
    listed = Worklist()
    case = new_case(1)
    listed.put(case)
    row = listed.rows[1]
    assert row.state == "waiting"
    with case.being_read():
        assert row.state == "reading"
    row.said = "The line is full."
    assert row.state == "stopped"
    case.finish(result)
    assert row.state == "read"
    listed.refuse(1, "Not an image.")
    assert (row.state, row.said, row.case) == ("refused", "Not an image.", None)
    assert case.is_cancelled()


def test_the_least_recently_shown_images_leave_and_keep_their_cells():
    listed = Worklist()
    cases = [new_case(number, number) for number in (1, 2, 3, 4)]
    for case in cases:
        listed.put(case)
        listed.note(case, {"answer": f"answer {case.row}"})
    listed.touch(1)
    listed.let_go(cases[1], images=2)
    assert [row.state for row in listed] == ["waiting", "waiting", "left", "left"]
    assert listed.rows[3].cells == {"answer": "answer 3"}
    assert not cases[2].image.model_input.any(), "overwritten"
    assert cases[0].image.model_input.any()
    listed.let_go(cases[1], size=0)
    assert [row.number for row in listed if row.case is not None] == [2], "what is shown stays"


def test_what_leaves_before_it_was_read_says_so_and_what_is_being_read_stays():
    listed, case = Worklist(), new_case(1)
    listed.put(case)
    with case.being_read():
        listed.let_go(None, images=0)
        assert listed.rows[1].case is case
    listed.let_go(None, images=0)
    assert (listed.rows[1].state, listed.rows[1].said) == ("refused", LEFT_UNREAD)


def test_a_listed_case_outlives_the_next_and_another_does_not():
    store = CaseStore()
    first, example, second = new_case(1), new_case(None, 1), new_case(2, 2)
    store.open("a", first)
    store.open("a", example)
    assert not first.is_cancelled()
    assert store.is_listed("a", first)
    store.open("a", second)
    assert example.is_cancelled()
    assert store.show("a", 1) is first
    assert store.get("a") is first
    assert store.show("a", 9) is None
    assert store.show("b", 1) is None, "nobody else's"


def test_the_same_row_read_anew_takes_its_place():
    store, first, second = CaseStore(), new_case(1), new_case(1, 1)
    store.open("a", first)
    store.open("a", second)
    assert first.is_cancelled()
    assert store.show("a", 1) is second


def test_purge_and_time_empty_the_list():
    clock = Clock()
    store = CaseStore(lifetime_s=10, clock=clock)
    cases = [new_case(number, number) for number in (1, 2, 3)]
    store.open("a", cases[0])
    store.enlist("a", cases[1])
    assert store.purge("a") is True
    assert all(not case.image.model_input.any() for case in cases[:2])
    with store.worklist("a") as listed:
        assert listed is None
    store.enlist("a", cases[2])
    clock.now = 9
    store.refuse("a", 4, "Not an image.")
    clock.now = 18
    with store.worklist("a") as listed:
        assert listed is not None, "touched again"
        key = listed.key
    clock.now = 29
    with store.worklist_by_key(key) as listed:
        assert listed is None
    assert cases[2].is_cancelled()


def test_all_lists_together_are_bounded():
    size = held_bytes(new_case(1))
    store = CaseStore(max_list_bytes=3 * size)
    for session in "ab":
        for number in (1, 2, 3):
            store.enlist(session, new_case(number, number))
    with store.worklist("a") as first, store_of(store, "b") as second:
        assert first.num_bytes + second.num_bytes <= 3 * size
        assert [row.state for row in second] == ["waiting"] * 3, "the older session's leave first"


def store_of(store: CaseStore, session: str):
    """A list without the lock, which a test holds already."""
    from contextlib import nullcontext

    return nullcontext(store._lists[session])


def test_a_key_opens_its_own_list_alone():
    store = CaseStore()
    store.enlist("a", new_case(1))
    store.enlist("b", new_case(1))
    with store.worklist("a") as listed:
        key = listed.key
    with store.worklist_by_key(key) as found:
        assert found is store._lists["a"]
    for wrong in ("", "a", "é"):
        with store.worklist_by_key(wrong) as found:
            assert found is None
