"""Handlers as plain functions: upload, events, errors, removal, cancel, purge, sessions."""

from __future__ import annotations

import io
import json
import logging

import pytest
from PIL import Image

from jomed_app.errors import BundleError, ImageError, JomedError
from jomed_app.types import Completed, ConsistencyState, Result
from jomed_app.ui import handlers, text
from jomed_app.ui.session import CaseStore
from tests.ui.fake_engine import FakeEngine, png_bytes


@pytest.fixture
def store() -> CaseStore:
    return CaseStore()


def run_to_end(engine, store, session="a", seed=0):
    screen = handlers.open_case(engine, store, session, png_bytes(seed))
    assert screen.banner == ""
    return [screen, *handlers.run_case(engine, store, session)]


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
    read = [screen.status for screen in screens if "of 4 done" in screen.status]
    assert "0 of 4" in read[0]
    assert any("4 of 4" in status for status in read)
    assert "Final diagnosis" not in screens[1].panel
    assert "Final diagnosis" in screens[-1].panel


def test_the_warning_stands_above_the_diagnosis(store):
    panel = run_to_end(FakeEngine(), store)[-1].panel
    assert panel.index("Candidates disagree") < panel.index("Final diagnosis")
    assert "3 of 4: <b>malignant</b>; 1 of 4: <b>benign</b>" in panel
    assert "rests on candidate #1: without it, it changes to <b>benign</b>" in panel
    assert "wrong in 31 %" in panel


def test_removal_recomputes_without_the_model(store):
    engine = FakeEngine()
    run_to_end(engine, store)
    screen = handlers.remove_candidate(engine, store, "a", "case-0")
    assert engine.num_runs == 1
    assert "3 of 4 candidates" in screen.status
    assert '<span class="final-name">benign</span>' in screen.panel
    assert "without 1 candidate" in screen.panel
    panes = {pane["id"]: pane for pane in screen.viewer["panes"]}
    assert panes["case-0"]["removed"] is True
    assert 'data-action="restore"' in panes["case-0"]["card"]
    assert list(panes)[:5] == ["query", "case-0", "case-1", "case-2", "case-3"]

    back = handlers.restore_candidate(engine, store, "a")
    assert '<span class="final-name">malignant</span>' in back.panel
    assert not any(pane.get("removed") for pane in back.viewer["panes"])


def test_one_candidate_of_two_removed_can_come_back_alone(store):
    engine = FakeEngine()
    run_to_end(engine, store)
    handlers.remove_candidate(engine, store, "a", "case-0")
    handlers.remove_candidate(engine, store, "a", "case-1")
    screen = handlers.restore_candidate(engine, store, "a", "case-0")
    removed = [pane["id"] for pane in screen.viewer["panes"] if pane.get("removed")]
    assert removed == ["case-1"]


def test_the_last_candidate_stays(store):
    engine = FakeEngine()
    run_to_end(engine, store)
    for number in range(3):
        assert handlers.remove_candidate(engine, store, "a", f"case-{number}").viewer
    refused = handlers.remove_candidate(engine, store, "a", "case-3")
    assert text.LAST_CANDIDATE in refused.banner
    assert refused.viewer is None


def test_removal_waits_for_the_end_of_the_run(store):
    engine = FakeEngine()
    handlers.open_case(engine, store, "a", png_bytes())
    assert text.NOT_FINISHED in handlers.remove_candidate(engine, store, "a", "case-0").banner


@pytest.mark.parametrize(
    "act",
    [
        lambda e, s: handlers.remove_candidate(e, s, "a", "case-0"),
        lambda e, s: handlers.restore_candidate(e, s, "a"),
        lambda e, s: handlers.stop_case(e, s, "a"),
        lambda e, s: handlers.start_again(e, s, "a"),
        lambda e, s: handlers.choose_frame(e, s, "a", 1),
    ],
)
def test_without_a_case_the_page_says_so(store, act):
    screen = act(FakeEngine(), store)
    assert text.NO_CASE in screen.banner
    assert screen.has_case is False


def test_stop_ends_the_run_and_run_again_starts_it(store):
    engine = FakeEngine()
    handlers.open_case(engine, store, "a", png_bytes())
    run = handlers.run_case(engine, store, "a")
    next(run), next(run)
    stopped = handlers.stop_case(engine, store, "a")
    assert stopped.can_run
    assert len(stopped.viewer["panes"]) == 1
    rest = list(run)
    assert rest[-1].can_run
    assert store.get("a").result is None

    assert handlers.start_again(engine, store, "a").is_busy
    assert "Done" in list(handlers.run_case(engine, store, "a"))[-1].status


def test_a_closed_run_marks_its_case_as_stopped(store):
    engine = FakeEngine()
    handlers.open_case(engine, store, "a", png_bytes())
    run = handlers.run_case(engine, store, "a")
    next(run)
    run.close()
    assert store.get("a").is_cancelled()


def test_purge_forgets_everything_and_ends_the_run(store):
    engine = FakeEngine()
    handlers.open_case(engine, store, "a", png_bytes())
    run = handlers.run_case(engine, store, "a")
    next(run)
    case = store.get("a")
    screen = handlers.purge_case(engine, store, "a")
    assert text.STATUS_PURGED in screen.status
    assert screen.viewer["panes"] == []
    assert list(run) == []
    assert store.get("a") is None
    assert case.result is None
    assert text.STATUS_NOTHING in handlers.purge_case(engine, store, "a").status


def test_a_new_case_ends_the_run_before_it(store):
    engine = FakeEngine()
    handlers.open_case(engine, store, "a", png_bytes(1))
    first = handlers.run_case(engine, store, "a")
    next(first)
    handlers.open_case(engine, store, "a", png_bytes(2))
    assert list(first) == []


def test_sessions_never_see_each_other(store):
    engine = FakeEngine()
    run_to_end(engine, store, "a", seed=1)
    run_to_end(engine, store, "b", seed=2)
    first, second = store.get("a"), store.get("b")
    assert first.image.info.sha256 != second.image.info.sha256
    assert store.by_token(first.token) is first
    handlers.remove_candidate(engine, store, "a", "case-0")
    assert second.removed == frozenset()
    handlers.purge_case(engine, store, "a")
    assert store.by_token(first.token) is None
    assert store.get("b") is second


def test_another_frame_comes_from_memory(store):
    engine = FakeEngine()
    handlers.open_case(engine, store, "a", two_page_tiff())
    assert store.get("a").file_bytes is not None
    screen = handlers.choose_frame(engine, store, "a", 1)
    assert (screen.viewer["frame"], screen.viewer["frames"]) == (1, 2)
    assert store.get("a").image.model_input.max() == 200


def test_a_single_frame_file_is_not_kept(store):
    handlers.open_case(FakeEngine(), store, "a", png_bytes())
    assert store.get("a").file_bytes is None


def test_a_bad_file_gives_one_sentence_and_the_session_goes_on(store):
    engine = FakeEngine()
    screen = handlers.open_case(engine, store, "a", b"MZ not an image")
    assert screen.banner.count('role="alert"') == 1
    assert "Traceback" not in screen.banner
    assert screen.has_case is False
    assert "Done" in run_to_end(engine, store)[-1].status


def test_an_error_of_the_engine_is_shown_as_its_sentence(store):
    engine = FakeEngine(fault=BundleError("the bundle must hold a reader, found none; rebuild it"))
    last = run_to_end(engine, store)[-1]
    assert "The bundle must hold a reader, found none; rebuild it." in last.banner
    assert last.is_busy is False
    assert last.can_run


def test_a_fault_of_ours_shows_an_incident_and_logs_no_message(store, caplog):
    caplog.set_level(logging.INFO)
    engine = FakeEngine(fault=RuntimeError("DOE^JOHN at /secret/place"))
    last = run_to_end(engine, store)[-1]
    assert "DOE" not in last.banner
    incident = last.banner.split("incident ")[1][:8]
    assert incident in caplog.text
    assert "RuntimeError" in caplog.text
    assert "DOE" not in caplog.text


def test_abstention_gives_reason_and_advice(store):
    engine = FakeEngine(state=ConsistencyState.ABSTAIN)
    panel = run_to_end(engine, store)[-1].panel
    assert "No result" in panel
    assert "the image is unlike those in the corpus" in panel
    assert "stay visible for orientation" in panel
    assert "none given" in panel
    assert "How it arose" not in panel


def test_a_counter_case_among_the_candidates_is_marked_and_not_repeated(store):
    viewer = run_to_end(FakeEngine(counter="case-1"), store)[-1].viewer
    assert [pane["id"] for pane in viewer["panes"]].count("case-1") == 1
    assert len(viewer["panes"]) == 5
    assert viewer["panes"][2]["counter"] is True


def test_diagnose_returns_the_engines_own_result():
    engine = FakeEngine()
    data = png_bytes(3)
    answer = handlers.diagnose(engine, data)
    from jomed_app.imaging import read_image

    last = list(engine.run(read_image(data)))[-1]
    assert isinstance(last, Completed)
    assert answer == last.result.model_dump(mode="json", by_alias=True)
    assert Result.model_validate(json.loads(json.dumps(answer))) == last.result
    assert answer["versions"]["schema"] == "jomed.result/2"


def test_diagnose_raises_for_a_file_that_is_no_image():
    with pytest.raises(ImageError, match="DICOM, PNG, JPEG"):
        handlers.diagnose(FakeEngine(), b"not an image at all")


def test_diagnose_raises_when_a_run_ends_without_a_result():
    class Mute(FakeEngine):
        def run(self, image, **kwargs):
            yield from ()

    with pytest.raises(JomedError, match="must end with a result"):
        handlers.diagnose(Mute(), png_bytes())
