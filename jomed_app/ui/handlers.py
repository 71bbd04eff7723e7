"""What happens on the page, as plain functions: they take values and return or yield screens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jomed_app.errors import CancelledError, ImageError, JomedError
from jomed_app.imaging import read_image
from jomed_app.incidents import record_incident
from jomed_app.types import ChecksDone, Completed, FinalReady, Result
from jomed_app.ui import text
from jomed_app.ui.panels import diagnosis as render
from jomed_app.ui.panels import frame as page
from jomed_app.ui.panels.viewer import viewer_value
from jomed_app.ui.reading import Reading, ReadingEngine, reading_of
from jomed_app.ui.session import Case, CaseStore


@dataclass(frozen=True, slots=True)
class Screen:
    """What changes on the page; None leaves a part as it is."""

    status: str | None = None
    banner: str | None = ""
    checks: str | None = None
    viewer: dict[str, Any] | None = None
    panel: str | None = None
    is_busy: bool = False
    has_case: bool = True
    can_run: bool = False


def take_upload(path: Path, upload_folder: Path) -> bytes:
    """Return an uploaded file's bytes and delete it, with its folder, before anything else happens.

    Args:
        path: where the server put the upload.
        upload_folder: the only folder from which a file is accepted.

    Raises:
        ImageError: if the path is outside the folder or the file is no longer there.
    """
    resolved, root = path.resolve(), upload_folder.resolve()
    if root not in resolved.parents or path.is_symlink():
        raise ImageError(text.UPLOAD_GONE)
    try:
        data = resolved.read_bytes()
    except OSError as error:
        raise ImageError(text.UPLOAD_GONE) from error
    resolved.unlink(missing_ok=True)
    if resolved.parent != root:
        with suppress(OSError):  # another upload of the same content may still lie there
            resolved.parent.rmdir()
    return data


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
        return closed(engine, failure(error))
    store.open(session, case)
    return Screen(
        status=page.status(text.STATUS_DECODED, is_busy=True),
        checks=page.checks(image.info, image.metadata),
        viewer=value,
        panel=render.panel(reading, engine.info),
        is_busy=True,
    )


def choose_frame(engine: ReadingEngine, store: CaseStore, session: str, frame: int) -> Screen:
    """Open another frame of a multi-frame file from the bytes held in memory."""
    case = store.get(session)
    if case is None or case.file_bytes is None:
        return closed(engine, text.NO_CASE)
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
                status=page.status(sentence, is_busy=not is_done),
                checks=page.checks(reading.info, case.image.metadata),
                viewer=viewer_value(case, reading, engine) if draws_panes else None,
                panel=render.panel(reading, engine.info, flip_to=flip_to),
                is_busy=not is_done,
            )
    except CancelledError:
        if store.get(session) is case:
            yield stopped(engine, case)
    except Exception as error:
        yield Screen(
            status=page.status(text.STATUS_IDLE),
            banner=page.banner(failure(error)),
            panel=render.panel(None, engine.info),
            can_run=True,
        )
    finally:
        if case.result is None:
            case.cancel()


def stop_case(engine: ReadingEngine, store: CaseStore, session: str) -> Screen:
    """Ask the session's run to stop and show the image alone."""
    case = store.get(session)
    if case is None:
        return closed(engine, text.NO_CASE)
    case.cancel()
    return stopped(engine, case)


def start_again(engine: ReadingEngine, store: CaseStore, session: str) -> Screen:
    """Make a stopped case ready to be run once more."""
    case = store.get(session)
    if case is None:
        return closed(engine, text.NO_CASE)
    case.allow_run()
    return Screen(status=page.status(text.STATUS_WAITING, is_busy=True), is_busy=True)


def stopped(engine: ReadingEngine, case: Case) -> Screen:
    """Return the screen of a case whose run was stopped."""
    if case.result is not None:
        return Screen(status=page.status(text.STATUS_IDLE))
    reading = Reading(info=case.image.info, retrieval=case.retrieval)
    return Screen(
        status=page.status(text.STATUS_CANCELLED),
        can_run=True,
        viewer=viewer_value(case, reading, engine),
        panel=render.panel(None, engine.info),
    )


def remove_candidate(
    engine: ReadingEngine, store: CaseStore, session: str, candidate_id: str
) -> Screen:
    """Take one candidate out of the sum and show the new result; the model does not run."""
    case = store.get(session)
    if case is None:
        return closed(engine, text.NO_CASE)
    return with_removed(engine, case, case.removed | {candidate_id})


def restore_candidate(
    engine: ReadingEngine, store: CaseStore, session: str, candidate_id: str | None = None
) -> Screen:
    """Put one candidate, or all of them, back into the sum."""
    case = store.get(session)
    if case is None:
        return closed(engine, text.NO_CASE)
    kept_out = case.removed - {candidate_id} if candidate_id is not None else frozenset()
    return with_removed(engine, case, frozenset(kept_out))


def with_removed(
    engine: ReadingEngine, case: Case, removed: frozenset[str], sentence: str | None = None
) -> Screen:
    """Recompute with these candidates taken out; a status sentence may be given."""
    if case.result is None:
        return Screen(banner=page.banner(text.NOT_FINISHED))
    full = case.result
    known = {item.candidate_id for item in full.candidates}
    removed = removed & known
    if removed == known:
        return Screen(banner=page.banner(text.LAST_CANDIDATE))
    try:
        result = engine.recompute(full, removed) if removed else full
        flip_to = answer_without_decisive(engine, result)
        kept = tuple(item for item in result.candidates if item.candidate_id not in removed)
        reading = reading_of(result.model_copy(update={"candidates": kept}))
        value = viewer_value(case, reading, engine, removed=removed, order=full.candidates)
    except Exception as error:
        return Screen(banner=page.banner(failure(error)))
    case.removed = removed
    done = text.removed_status(len(removed), len(known)) if removed else text.STATUS_RESTORED
    return Screen(
        status=page.status(sentence or done),
        viewer=value,
        panel=render.panel(reading, engine.info, flip_to=flip_to, num_removed=len(removed)),
    )


def answer_without_decisive(engine: ReadingEngine, result: Result) -> str | None:
    """Return the answer that would stand without the decisive candidate, or None."""
    decisive = result.consistency.decisive_candidate
    present = {item.candidate_id for item in result.candidates}
    if decisive is None or decisive not in present or len(present) < 2:
        return None
    return engine.recompute(result, {decisive}).final.prediction


def purge_case(engine: ReadingEngine, store: CaseStore, session: str) -> Screen:
    """Forget the session's case and clear the page."""
    had_case = store.purge(session)
    screen = closed(engine, "")
    sentence = text.STATUS_PURGED if had_case else text.STATUS_NOTHING
    return Screen(
        status=page.status(sentence),
        checks=screen.checks,
        viewer=screen.viewer,
        panel=screen.panel,
        has_case=False,
    )


def closed(engine: ReadingEngine, sentence: str) -> Screen:
    """Return the page without a case, with a sentence in the banner if there is one."""
    return Screen(
        status=page.status(text.STATUS_IDLE),
        banner=page.banner(sentence),
        checks=page.checks(None),
        viewer=empty_viewer(),
        panel=render.panel(None, engine.info),
        has_case=False,
    )


def empty_viewer() -> dict[str, Any]:
    """Return the viewer's value when no case is open."""
    return {"case": "", "panes": [], "title": text.EMPTY_TITLE, "text": text.EMPTY_TEXT}


def diagnose(engine: ReadingEngine, data: bytes) -> dict[str, Any]:
    """Return the Result JSON of a file, as the command line prints it.

    Raises:
        JomedError: if the file cannot be read or the engine refuses it.
    """
    completed: Result | None = None
    for event in engine.run(read_image(data)):
        if isinstance(event, Completed):
            completed = event.result
    if completed is None:
        raise JomedError("a run must end with a result, found none; report this with the version")
    return completed.model_dump(mode="json", by_alias=True)


def failure(error: Exception) -> str:
    """Return the sentence for an error; what is not the user's to mend goes to the log by id."""
    sentence = text.error_sentence(error)
    if sentence is not None:
        return sentence
    return text.incident_sentence(record_incident(error))
