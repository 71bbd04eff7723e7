"""What if: candidates taken out of the sum and put back; the model does not run again."""

from __future__ import annotations

from jomed_app.types import Result
from jomed_app.ui import text
from jomed_app.ui.handlers.screen import Screen, closed, failure
from jomed_app.ui.panels.diagnosis.diagnosis import Diagnosis
from jomed_app.ui.panels.top.banner import Banner
from jomed_app.ui.panels.top.status import Status
from jomed_app.ui.panels.viewer.viewer import viewer_value
from jomed_app.ui.protocol import ReadingEngine
from jomed_app.ui.reading import reading_of
from jomed_app.ui.session import Case, CaseStore


def remove_candidate(
    engine: ReadingEngine, store: CaseStore, session: str, candidate_id: str
) -> Screen:
    """Take one candidate out of the sum and show the new result; the model does not run."""
    case = store.get(session)
    if case is None:
        return closed(text.NO_CASE)
    return with_removed(engine, case, case.removed | {candidate_id})


def restore_candidate(
    engine: ReadingEngine, store: CaseStore, session: str, candidate_id: str | None = None
) -> Screen:
    """Put one candidate, or all of them, back into the sum."""
    case = store.get(session)
    if case is None:
        return closed(text.NO_CASE)
    kept_out = case.removed - {candidate_id} if candidate_id is not None else frozenset()
    return with_removed(engine, case, frozenset(kept_out))


def with_removed(
    engine: ReadingEngine, case: Case, removed: frozenset[str], sentence: str | None = None
) -> Screen:
    """Recompute with these candidates taken out; a status sentence may be given."""
    if case.result is None:
        return Screen(banner=Banner(text.NOT_FINISHED))
    full = case.result
    known = {item.candidate_id for item in full.candidates}
    removed = removed & known
    if removed == known:
        return Screen(banner=Banner(text.LAST_CANDIDATE))
    try:
        result = engine.recompute(full, removed) if removed else full
        flip_to = answer_without_decisive(engine, result)
        kept = tuple(item for item in result.candidates if item.candidate_id not in removed)
        reading = reading_of(result.model_copy(update={"candidates": kept}))
        value = viewer_value(case, reading, engine, removed=removed, order=full.candidates)
    except Exception as error:
        return Screen(banner=Banner(failure(error)))
    case.removed = removed
    done = text.removed_status(len(removed), len(known)) if removed else text.STATUS_RESTORED
    return Screen(
        status=Status(sentence or done),
        viewer=value,
        diagnosis=Diagnosis.of(
            reading,
            engine.info,
            flip_to=flip_to,
            num_removed=len(removed),
            drawn_as="" if removed else case.drawn_as,
        ),
    )


def answer_without_decisive(engine: ReadingEngine, result: Result) -> str | None:
    """Return the answer that would stand without the decisive candidate, or None."""
    decisive = result.consistency.decisive_candidate
    present = {item.candidate_id for item in result.candidates}
    if decisive is None or decisive not in present or len(present) < 2:
        return None
    return engine.recompute(result, {decisive}).final.prediction
