"""One case of a session: open, run, stop, run again, purge."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from jomed_app.errors import CancelledError
from jomed_app.imaging import turned_over
from jomed_app.imaging.content.region import wish_of, with_region
from jomed_app.imaging.decoder import read_untrusted
from jomed_app.types import ChecksDone, Completed, FinalReady, ImageRecord, RegionWish
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
) -> Screen:
    """Decode a file and make it the session's case; the session's last case is forgotten first."""
    store.purge(session)
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
            retrieval=store.search(session, engine.info.opens_with),
            study=store.studies.begin(session),
        )
        reading = Reading(info=image.info, retrieval=case.retrieval)
        value = viewer_value(case, reading, engine)
    except Exception as error:
        return closed(failure(error))
    store.open(session, case)
    return _opened(engine, case, value, text.STATUS_DECODED)


def _opened(engine: ReadingEngine, case: Case, value: dict[str, Any], sentence: str) -> Screen:
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
            retrieval=case.retrieval,
            study=case.study,
        )
        reading = Reading(info=changed.image.info, retrieval=changed.retrieval)
        value = viewer_value(changed, reading, engine)
    except Exception as error:
        return Screen(banner=Banner(failure(error)))
    store.open(session, changed)
    return _opened(engine, changed, value, sentence)


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
    )


def awaits_model(store: CaseStore, session: str) -> bool:
    """Whether the session has a case that is still to be read."""
    case = store.get(session)
    return case is not None and case.result is None


def waiting(place: int, seconds: float | None) -> Screen:
    """Return the screen of a case that waits in line."""
    return Screen(status=Status(text.waiting_status(place, seconds), is_busy=True), is_busy=True)


def turned_away(error: Exception) -> Screen:
    """Return the screen of a case that could not wait or was not read, and may be run again."""
    return Screen(
        status=Status(text.STATUS_IDLE),
        banner=Banner(failure(error)),
        diagnosis=Diagnosis(),
        can_run=True,
    )


def run_case(engine: ReadingEngine, store: CaseStore, session: str) -> Iterator[Screen]:
    """Run the engine on the session's case and yield the screen after each event."""
    case = store.get(session)
    if case is None or case.result is not None:
        return
    with case.in_use():
        yield from _screens(engine, store, session, case)


def _screens(engine: ReadingEngine, store: CaseStore, session: str, case: Case) -> Iterator[Screen]:
    """Yield the screen after each event of a case's run."""
    reading = Reading(info=case.image.info, retrieval=case.retrieval)
    try:
        for event in engine.run(
            case.image, retrieval=case.retrieval, anyway=case.anyway, cancel=case.is_cancelled
        ):
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
                case.finish(event.result)
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
        if store.get(session) is case:
            yield turned_away(error)
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
