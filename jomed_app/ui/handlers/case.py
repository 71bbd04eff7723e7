"""One case of a session: open, run, stop, run again, purge."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from jomed_app.errors import CancelledError
from jomed_app.imaging import read_image
from jomed_app.types import ChecksDone, Completed, FinalReady
from jomed_app.ui import text
from jomed_app.ui.handlers.removal import answer_without_decisive
from jomed_app.ui.handlers.screen import Screen, closed, failure
from jomed_app.ui.panels.diagnosis.diagnosis import Diagnosis
from jomed_app.ui.panels.top.banner import Banner
from jomed_app.ui.panels.top.checks import Checks
from jomed_app.ui.panels.top.status import Status
from jomed_app.ui.panels.viewer.viewer import viewer_value
from jomed_app.ui.protocol import ReadingEngine
from jomed_app.ui.reading import Reading
from jomed_app.ui.session import Case, CaseStore


def open_case(
    engine: ReadingEngine,
    store: CaseStore,
    session: str,
    data: bytes,
    *,
    frame: int = 0,
    is_simulated: bool = False,
) -> Screen:
    """Decode a file and make it the session's case; the session's last case is forgotten first."""
    store.purge(session)
    try:
        image = read_image(data, frame=frame)
        case = Case(
            image=image,
            file_bytes=data if image.num_frames > 1 else None,
            is_simulated=is_simulated,
            retrieval=store.search(session, engine.info.opens_with),
        )
        reading = Reading(info=image.info, retrieval=case.retrieval)
        value = viewer_value(case, reading, engine)
    except Exception as error:
        return closed(failure(error))
    store.open(session, case)
    return Screen(
        status=Status(text.STATUS_DECODED, is_busy=True),
        checks=Checks(image.info, image.metadata),
        viewer=value,
        diagnosis=Diagnosis.of(reading, engine.info),
        is_busy=True,
    )


def choose_frame(engine: ReadingEngine, store: CaseStore, session: str, frame: int) -> Screen:
    """Open another frame of a multi-frame file from the bytes held in memory."""
    case = store.get(session)
    if case is None or case.file_bytes is None:
        return closed(text.NO_CASE)
    return open_case(engine, store, session, case.file_bytes, frame=frame)


def run_case(engine: ReadingEngine, store: CaseStore, session: str) -> Iterator[Screen]:
    """Run the engine on the session's case and yield the screen after each event."""
    case = store.get(session)
    if case is None or case.result is not None:
        return
    reading = Reading(info=case.image.info, retrieval=case.retrieval)
    try:
        for event in engine.run(case.image, retrieval=case.retrieval, cancel=case.is_cancelled):
            if store.get(session) is not case:
                return  # purged, or another case was opened meanwhile
            reading = reading.after(event)
            flip_to = None
            sentence = text.reading_status(reading.num_read, len(reading.candidates))
            if isinstance(event, ChecksDone):
                sentence = text.STATUS_CHECKED
            elif isinstance(event, FinalReady):
                sentence = text.STATUS_FINAL
            elif isinstance(event, Completed):
                case.results[case.retrieval] = event.result
                flip_to = answer_without_decisive(engine, event.result)
                sentence = text.done_status(
                    event.result.timings_ms.total, len(event.result.candidates)
                )
            is_done = isinstance(event, Completed)
            draws_panes = not isinstance(event, ChecksDone)
            yield Screen(
                status=Status(sentence, is_busy=not is_done),
                checks=Checks(reading.info, case.image.metadata),
                viewer=viewer_value(case, reading, engine) if draws_panes else None,
                diagnosis=Diagnosis.of(reading, engine.info, flip_to=flip_to),
                is_busy=not is_done,
            )
    except CancelledError:
        if store.get(session) is case:
            yield stopped(engine, case)
    except Exception as error:
        yield Screen(
            status=Status(text.STATUS_IDLE),
            banner=Banner(failure(error)),
            diagnosis=Diagnosis(),
            can_run=True,
        )
    finally:
        if case.result is None:
            case.cancel()


def stop_case(engine: ReadingEngine, store: CaseStore, session: str) -> Screen:
    """Ask the session's run to stop and show the image alone."""
    case = store.get(session)
    if case is None:
        return closed(text.NO_CASE)
    case.cancel()
    return stopped(engine, case)


def start_again(engine: ReadingEngine, store: CaseStore, session: str) -> Screen:
    """Make a stopped case ready to be run once more."""
    case = store.get(session)
    if case is None:
        return closed(text.NO_CASE)
    case.allow_run()
    return Screen(status=Status(text.STATUS_WAITING, is_busy=True), is_busy=True)


def stopped(engine: ReadingEngine, case: Case) -> Screen:
    """Return the screen of a case whose run was stopped."""
    if case.result is not None:
        return Screen(status=Status(text.STATUS_IDLE))
    reading = Reading(info=case.image.info, retrieval=case.retrieval)
    return Screen(
        status=Status(text.STATUS_CANCELLED),
        can_run=True,
        viewer=viewer_value(case, reading, engine),
        diagnosis=Diagnosis(),
    )


def purge_case(store: CaseStore, session: str) -> Screen:
    """Forget the session's case and clear the page."""
    had_case = store.purge(session)
    sentence = text.STATUS_PURGED if had_case else text.STATUS_NOTHING
    return replace(closed(), status=Status(sentence))
