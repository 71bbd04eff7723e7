"""One case of a session: open, run, stop, run again, purge."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from jomed_app.errors import CancelledError
from jomed_app.export.saved import saved
from jomed_app.export.table import case_row
from jomed_app.imaging import turned_over
from jomed_app.imaging.content.region import wish_of, with_region
from jomed_app.imaging.decoder import read_untrusted
from jomed_app.types import ChecksDone, Completed, FinalReady, ImageRecord, RegionWish, Result
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
    region: RegionWish = "found",
    invert: bool = False,
    is_simulated: bool = False,
    drawn_as: str = "",
    sender: str = "",
    row: int | None = None,
) -> Screen:
    """Decode a file and make it the session's case; the one before it is closed first.

    A case with a row goes on the session's list; why a file was refused is noted there.
    """
    store.leave(session)
    try:
        image = read_untrusted(data, frame=frame, region=region, sender=sender)
        image = turned_over(image) if invert else image
        file_bytes = data if image.num_frames > 1 else None
        del data
        case = Case(
            image=image,
            file_bytes=file_bytes,
            sender=sender,
            is_simulated=is_simulated,
            drawn_as=drawn_as,
            row=row,
            retrieval=store.search(session, engine.info.opens_with),
            study=store.studies.begin(session),
        )
        reading = Reading(info=image.info, retrieval=case.retrieval)
        value = viewer_value(case, reading, engine)
    except Exception as error:
        sentence = failure(error)
        store.refuse(session, row, sentence)
        return closed(sentence)
    store.open(session, case)
    return opened(engine, case, value, text.STATUS_DECODED)


def opened(engine: ReadingEngine, case: Case, value: dict[str, Any], sentence: str) -> Screen:
    """Return the screen of a case that waits for its run."""
    reading = Reading(info=case.image.info, retrieval=case.retrieval)
    return Screen(
        status=Status(sentence, is_busy=True),
        checks=Checks(case.image.info, case.image.metadata),
        viewer=value,
        diagnosis=Diagnosis.of(reading, engine.info, drawn_as=case.drawn_as),
        is_busy=True,
    )


def choose_region(
    engine: ReadingEngine, store: CaseStore, session: str, wish: RegionWish
) -> Screen:
    """Read another part of the same picture; a part that cannot be read changes nothing."""
    case = store.get(session)
    if case is None:
        return closed(text.NO_CASE)
    return _read_anew(
        engine, store, session, case, lambda image: with_region(image, wish), text.STATUS_REGION
    )


def read_inverted(engine: ReadingEngine, store: CaseStore, session: str) -> Screen:
    """Read the same picture with black and white exchanged."""
    case = store.get(session)
    if case is None:
        return closed(text.NO_CASE)
    return _read_anew(engine, store, session, case, turned_over, text.STATUS_INVERTED)


def go_on(engine: ReadingEngine, store: CaseStore, session: str) -> Screen:
    """Read the same picture in spite of the checks that asked about it, for research."""
    case = store.get(session)
    if case is None:
        return closed(text.NO_CASE)
    sentence = text.STATUS_GOES_ON
    return _read_anew(engine, store, session, case, lambda image: image, sentence, anyway=True)


def _read_anew(
    engine: ReadingEngine,
    store: CaseStore,
    session: str,
    case: Case,
    change: Callable[[ImageRecord], ImageRecord],
    sentence: str,
    *,
    anyway: bool = False,
) -> Screen:
    """Open a changed record of the same file as a new case; what cannot be done changes nothing."""
    try:
        changed = Case(
            image=change(case.image),
            file_bytes=case.file_bytes,
            sender=case.sender,
            is_simulated=case.is_simulated,
            drawn_as=case.drawn_as,
            anyway=anyway,
            row=case.row,
            retrieval=case.retrieval,
            study=case.study,
        )
        reading = Reading(info=changed.image.info, retrieval=changed.retrieval)
        value = viewer_value(changed, reading, engine)
    except Exception as error:
        return Screen(banner=Banner(failure(error)))
    store.open(session, changed)
    return opened(engine, changed, value, sentence)


def choose_frame(engine: ReadingEngine, store: CaseStore, session: str, frame: int) -> Screen:
    """Open another frame of a multi-frame file from the bytes held in memory."""
    case = store.get(session)
    if case is None or case.file_bytes is None:
        return closed(text.NO_CASE)
    return open_case(
        engine,
        store,
        session,
        case.file_bytes,
        frame=frame,
        region=wish_of(case.image),
        invert=case.image.info.inverted_as_asked,
        sender=case.sender,
        row=case.row,
    )


def awaits_model(store: CaseStore, session: str, case: Case) -> bool:
    """Whether a case is still to be read: it is open or listed, and without a result."""
    is_held = store.get(session) is case or store.is_listed(session, case)
    return is_held and case.result is None


def waiting(place: int, seconds: float | None) -> Screen:
    """Return the screen of a case that waits in line."""
    return Screen(status=Status(text.waiting_status(place, seconds), is_busy=True), is_busy=True)


def turned_away(sentence: str) -> Screen:
    """Return the screen of a case that could not wait or was not read, and may be run again."""
    return Screen(
        status=Status(text.STATUS_IDLE),
        banner=Banner(sentence),
        diagnosis=Diagnosis(),
        can_run=True,
    )


def run_case(
    engine: ReadingEngine, store: CaseStore, session: str, case: Case | None = None
) -> Iterator[Screen | None]:
    """Run the engine on a case and yield the screen after each event.

    Args:
        engine: reads.
        store: open cases.
        session: key of the browser session.
        case: on its list; the open one when None.

    Yields:
        None where nothing is to be drawn, for another case of the list is shown.
    """
    case = store.get(session) if case is None else case
    if case is None or case.result is not None:
        return
    with case.in_use(), case.being_read():
        yield from _screens(engine, store, session, case)


def _screens(
    engine: ReadingEngine, store: CaseStore, session: str, case: Case
) -> Iterator[Screen | None]:
    """Yield the screen after each event of a case's run, as `run_case`."""
    reading = Reading(info=case.image.info, retrieval=case.retrieval)
    try:
        for event in engine.run(
            case.image, retrieval=case.retrieval, anyway=case.anyway, cancel=case.is_cancelled
        ):
            is_shown = store.get(session) is case
            if not is_shown and not store.is_listed(session, case):
                return  # purged, or another case was opened meanwhile
            reading = reading.after(event)
            flip_to = None
            sentence = text.reading_status(reading.num_read, len(reading.candidates))
            if isinstance(event, ChecksDone):
                sentence = text.STATUS_CHECKED
            elif isinstance(event, FinalReady):
                sentence = text.STATUS_FINAL
            elif isinstance(event, Completed):
                finish(engine, store, session, case, event.result)
                flip_to = answer_without_decisive(engine, event.result)
                sentence = text.done_status(
                    event.result.timings_ms.total, len(event.result.candidates)
                )
            is_done = isinstance(event, Completed)
            draws_panes = not isinstance(event, ChecksDone)
            if not is_shown:
                yield None
                continue
            yield Screen(
                status=Status(sentence, is_busy=not is_done),
                checks=Checks(reading.info, case.image.metadata),
                viewer=viewer_value(case, reading, engine) if draws_panes else None,
                diagnosis=Diagnosis.of(
                    reading,
                    engine.info,
                    flip_to=flip_to,
                    finals=case.finals,
                    drawn_as=case.drawn_as,
                ),
                is_busy=not is_done,
            )
    except CancelledError:
        if store.get(session) is case:
            yield stopped(engine, case)
    except Exception as error:
        sentence = failure(error)
        store.stopped(session, case, sentence)
        if store.get(session) is case:
            yield turned_away(sentence)
    finally:
        if case.result is None:
            case.cancel()


def finish(
    engine: ReadingEngine, store: CaseStore, session: str, case: Case, result: Result
) -> None:
    """Hold what a run came to, with its row of the list's table where the case is listed."""
    case.finish(result)
    if case.row is not None:
        store.note(session, case, case_row(saved(result, case.image, engine.info.hashes)))


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
