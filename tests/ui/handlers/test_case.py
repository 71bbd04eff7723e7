"""One case of a session: upload to result, stop, purge, errors, and nobody else's."""

from __future__ import annotations

import io
import logging

import pytest
from PIL import Image

from jomed_app.errors import BundleError
from jomed_app.types import ChecksDone, ConsistencyState
from jomed_app.ui import text
from jomed_app.ui.handlers.case import (
    choose_frame,
    open_case,
    purge_case,
    run_case,
    start_again,
    stop_case,
)
from jomed_app.ui.handlers.removal import remove_candidate
from tests.ui.fake_engine import FakeEngine, png_bytes
from tests.ui.handlers.running import run_to_end


def two_page_tiff() -> bytes:
    pages = [Image.new("L", (64, 48), shade) for shade in (30, 200)]
    buffer = io.BytesIO()
    pages[0].save(buffer, format="TIFF", save_all=True, append_images=pages[1:])
    return buffer.getvalue()


def test_the_screen_fills_step_by_step(store):
    screens = run_to_end(FakeEngine(), store)
    assert [screen.is_busy for screen in screens] == [True] * (len(screens) - 1) + [False]
    panes = [len(screen.viewer["panes"]) for screen in screens if screen.viewer]
    assert panes[0] == 1
    assert panes == sorted(panes)
    assert panes[-1] == 6  # query, four candidates, counter-case
    read = [screen.status.sentence for screen in screens if "of 4 done" in screen.status.sentence]
    assert "0 of 4" in read[0]
    assert any("4 of 4" in status for status in read)
    assert screens[1].diagnosis.final is None
    assert screens[-1].diagnosis.final.prediction == "malignant"


def test_stop_ends_the_run_and_run_again_starts_it(store):
    engine = FakeEngine()
    open_case(engine, store, "a", png_bytes())
    run = run_case(engine, store, "a")
    next(run), next(run)
    stopped = stop_case(engine, store, "a")
    assert stopped.can_run
    assert len(stopped.viewer["panes"]) == 1
    rest = list(run)
    assert rest[-1].can_run
    assert store.get("a").result is None

    assert start_again(engine, store, "a").is_busy
    assert "Done" in list(run_case(engine, store, "a"))[-1].status.sentence


def test_a_closed_run_marks_its_case_as_stopped(store):
    engine = FakeEngine()
    open_case(engine, store, "a", png_bytes())
    run = run_case(engine, store, "a")
    next(run)
    run.close()
    assert store.get("a").is_cancelled()


def test_purge_forgets_everything_and_ends_the_run(store):
    engine = FakeEngine()
    open_case(engine, store, "a", png_bytes())
    run = run_case(engine, store, "a")
    next(run)
    case = store.get("a")
    screen = purge_case(store, "a")
    assert text.STATUS_PURGED in screen.status.sentence
    assert screen.viewer["panes"] == []
    assert list(run) == []
    assert store.get("a") is None
    assert case.result is None
    assert text.STATUS_NOTHING in purge_case(store, "a").status.sentence


def test_pixels_are_overwritten_once_the_purged_run_has_ended(store):
    engine = FakeEngine()
    open_case(engine, store, "a", png_bytes())
    case, run = store.get("a"), run_case(engine, store, "a")
    next(run)
    purge_case(store, "a")
    assert case.image.model_input.any()
    assert list(run) == []
    assert not case.image.model_input.any()


def test_a_fault_of_a_purged_run_is_shown_to_nobody(store, monkeypatch):
    def failing(image, **more):
        yield ChecksDone(image.info)
        raise ValueError("blank pixels")

    engine = FakeEngine()
    monkeypatch.setattr(engine, "run", failing)
    open_case(engine, store, "a", png_bytes())
    run = run_case(engine, store, "a")
    next(run)
    purge_case(store, "a")
    assert list(run) == []


def test_a_new_case_ends_the_run_before_it(store):
    engine = FakeEngine()
    open_case(engine, store, "a", png_bytes(1))
    first = run_case(engine, store, "a")
    next(first)
    open_case(engine, store, "a", png_bytes(2))
    assert list(first) == []


def test_sessions_never_see_each_other(store):
    engine = FakeEngine()
    run_to_end(engine, store, "a", seed=1)
    run_to_end(engine, store, "b", seed=2)
    first, second = store.get("a"), store.get("b")
    assert first.image.sha256 != second.image.sha256
    assert store.by_token(first.token) is first
    remove_candidate(engine, store, "a", "case-0")
    assert second.removed == frozenset()
    purge_case(store, "a")
    assert store.by_token(first.token) is None
    assert store.get("b") is second


def test_another_frame_comes_from_memory(store):
    engine = FakeEngine()
    open_case(engine, store, "a", two_page_tiff())
    assert store.get("a").file_bytes is not None
    screen = choose_frame(engine, store, "a", 1)
    assert (screen.viewer["frame"], screen.viewer["frames"]) == (1, 2)
    assert store.get("a").image.model_input.max() == 200


def test_a_single_frame_file_is_not_kept(store):
    open_case(FakeEngine(), store, "a", png_bytes())
    assert store.get("a").file_bytes is None


def test_a_bad_file_gives_one_sentence_and_the_session_goes_on(store):
    engine = FakeEngine()
    screen = open_case(engine, store, "a", b"MZ not an image")
    assert "DICOM, PNG, JPEG" in screen.banner.sentence
    assert "Traceback" not in screen.banner.sentence
    assert screen.has_case is False
    assert "Done" in run_to_end(engine, store)[-1].status.sentence


def test_an_error_of_the_engine_is_shown_as_its_sentence(store):
    engine = FakeEngine(fault=BundleError("the bundle must hold a reader, found none; rebuild it"))
    last = run_to_end(engine, store)[-1]
    assert "The bundle must hold a reader, found none; rebuild it." in last.banner.sentence
    assert last.is_busy is False
    assert last.can_run


def test_a_fault_of_ours_shows_an_incident_and_logs_no_message(store, caplog):
    caplog.set_level(logging.INFO)
    engine = FakeEngine(fault=RuntimeError("DOE^JOHN at /secret/place"))
    last = run_to_end(engine, store)[-1]
    assert "DOE" not in last.banner.sentence
    incident = last.banner.sentence.split("incident ")[1][:8]
    assert incident in caplog.text
    assert "RuntimeError" in caplog.text
    assert "DOE" not in caplog.text


def test_abstention_gives_reason_and_advice(store):
    engine = FakeEngine(state=ConsistencyState.ABSTAIN)
    column = run_to_end(engine, store)[-1].diagnosis
    assert column.agreement.title == "No result"
    assert column.agreement.reason == "the image is unlike those in the corpus"
    assert column.agreement.advice == text.ABSTAIN_CASES
    assert column.final.prediction is None
    assert column.sum_table is None


def test_a_counter_case_among_the_candidates_is_marked_and_not_repeated(store):
    viewer = run_to_end(FakeEngine(counter="case-1"), store)[-1].viewer
    assert [pane["id"] for pane in viewer["panes"]].count("case-1") == 1
    assert len(viewer["panes"]) == 5
    assert viewer["panes"][2]["counter"] is True


@pytest.mark.parametrize(
    "act",
    [
        lambda engine, store: stop_case(engine, store, "a"),
        lambda engine, store: start_again(engine, store, "a"),
        lambda engine, store: choose_frame(engine, store, "a", 1),
    ],
)
def test_without_a_case_the_page_says_so(store, act):
    screen = act(FakeEngine(), store)
    assert screen.banner.sentence == text.NO_CASE
    assert screen.has_case is False
