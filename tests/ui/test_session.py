"""The store of open cases: time limit, cap, purge, tokens."""

from __future__ import annotations

from jomed_app.imaging import read_image
from jomed_app.imaging.content.region import with_region
from jomed_app.ui.session import Case, CaseStore
from tests.ui.fake_engine import png_bytes


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def new_case() -> Case:
    return Case(image=read_image(png_bytes()), file_bytes=b"bytes")


def test_a_case_is_forgotten_when_its_time_is_over():
    clock = Clock()
    store = CaseStore(lifetime_s=10, clock=clock)
    case = new_case()
    store.open("a", case)
    clock.now = 9
    assert store.get("a") is case  # and touched again
    clock.now = 18
    assert store.get("a") is case
    clock.now = 28.5
    assert len(store) == 0
    assert store.get("a") is None
    assert store.by_token(case.token) is None
    assert case.file_bytes is None
    assert case.is_cancelled()


def test_the_oldest_case_goes_when_there_are_too_many():
    store = CaseStore(max_sessions=2)
    cases = {name: new_case() for name in "abc"}
    for name, case in cases.items():
        store.open(name, case)
    assert store.get("a") is None
    assert store.get("b") is cases["b"]
    assert cases["a"].is_cancelled()


def test_opening_a_case_ends_the_one_before():
    store = CaseStore()
    first, second = new_case(), new_case()
    store.open("a", first)
    store.open("a", second)
    assert first.is_cancelled()
    assert store.get("a") is second


def test_purge_says_whether_there_was_something():
    store = CaseStore()
    store.open("a", new_case())
    assert store.purge("a") is True
    assert store.purge("a") is False


def test_tokens_are_long_and_differ():
    first, second = new_case(), new_case()
    assert first.token != second.token
    assert len(first.token) >= 32
    assert CaseStore().by_token("") is None


def test_a_stopped_case_can_be_run_again():
    case = new_case()
    case.cancel()
    assert case.is_cancelled()
    case.allow_run()
    assert not case.is_cancelled()


def test_a_picture_is_made_once_and_forgotten_with_the_case():
    case, made = new_case(), []

    def make() -> str:
        made.append(1)
        return "url"

    assert [case.picture("query", make), case.picture("query", make)] == ["url", "url"]
    assert len(made) == 1
    case.forget()
    case.picture("query", make)
    assert len(made) == 2


def test_the_oldest_choices_are_forgotten():
    store = CaseStore(max_sessions=2)
    for session in "abc":
        store.choose_search(session, "standard")
    assert [store.search(session) for session in "abc"] == ["joint", "standard", "standard"]


def test_a_forgotten_case_is_overwritten():
    case = new_case()
    pixels, values = case.image.model_input, case.image.modality_values
    assert pixels.any()
    assert values.any()
    case.forget()
    assert not pixels.any()
    assert not values.any()


def test_pixels_that_are_read_stay_until_the_last_reader_is_done():
    case = new_case()
    with case.in_use():
        with case.in_use():
            case.forget()
            assert case.file_bytes is None
        assert case.image.model_input.any(), "one still reads"
    assert not case.image.model_input.any()
    with case.in_use():
        pass


def test_a_case_that_goes_on_with_the_picture_keeps_it():
    store, first = CaseStore(), new_case()
    picture = first.image.picture.rendering
    second = Case(image=with_region(first.image, "whole"))
    store.open("a", first)
    with first.in_use():
        store.open("a", second)
    assert picture.any()
    assert second.image.model_input.any()
    store.purge("a")
    assert not picture.any()
    assert not second.image.model_input.any()
