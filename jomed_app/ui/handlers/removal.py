"""What if: candidates taken out, weights moved, all put back; the model does not run again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from jomed_app.types import MOST_DOUBLINGS, Result
from jomed_app.ui import text
from jomed_app.ui.handlers.screen import Screen, closed, failure
from jomed_app.ui.panels.diagnosis.diagnosis import Diagnosis
from jomed_app.ui.panels.top.banner import Banner
from jomed_app.ui.panels.top.status import Status
from jomed_app.ui.panels.viewer.viewer import viewer_value
from jomed_app.ui.protocol import ReadingEngine
from jomed_app.ui.reading import reading_of
from jomed_app.ui.session import Case, CaseStore


@dataclass(frozen=True, slots=True)
class Wish:
    """What the reader moves of an answer.

    Attributes:
        removed: candidates taken out.
        factors: candidate id -> factor of its weight.
        image_share: of the image alone in the sum, in [0, 1]; None as it was fitted.
    """

    removed: frozenset[str] = frozenset()
    factors: Mapping[str, float] | None = None
    image_share: float | None = None

    def apply(self, engine: ReadingEngine, result: Result, *more: str) -> Result:
        """Return a run's result so moved, without some further candidates."""
        return engine.recompute(
            result,
            self.removed.union(more),
            factors=self.factors,
            image_share=self.image_share,
        )


def wish_of_case(case: Case) -> Wish:
    """Return what is moved in a case now."""
    return Wish(case.removed, case.factors, case.image_share)


def shown_result(engine: ReadingEngine, case: Case, result: Result) -> Result:
    """Return a case's result as it is shown: with what the reader moved in it."""
    if not (case.removed or case.factors or case.image_share is not None):
        return result
    return wish_of_case(case).apply(engine, result)


def remove_candidate(
    engine: ReadingEngine, store: CaseStore, session: str, candidate_id: str
) -> Screen:
    """Take one candidate out of the sum and show the new result; the model does not run."""
    case = store.get(session)
    if case is None:
        return closed(text.NO_CASE)
    removed = case.removed | {candidate_id}
    return with_moved(engine, case, Wish(removed, case.factors, case.image_share))


def restore_candidate(
    engine: ReadingEngine, store: CaseStore, session: str, candidate_id: str | None = None
) -> Screen:
    """Put one candidate back into the sum; without one, all that was moved."""
    case = store.get(session)
    if case is None:
        return closed(text.NO_CASE)
    if candidate_id is None:
        return with_moved(engine, case, Wish())
    removed = case.removed - {candidate_id}
    return with_moved(engine, case, Wish(removed, case.factors, case.image_share))


def move_weight(
    engine: ReadingEngine, store: CaseStore, session: str, name: object, value: object
) -> Screen:
    """Move one weight and show the new result; the model does not run.

    Args:
        engine: does the arithmetic.
        store: open cases.
        session: key of the browser session.
        name: as the page sent it: a candidate's id, empty for the share of the image alone.
        value: as the page sent it: the doublings of a candidate's weight, or a share in [0, 1].
    """
    case = store.get(session)
    if case is None:
        return closed(text.NO_CASE)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return Screen()
    if name == "":
        share = min(1.0, max(0.0, float(value)))
        return with_moved(engine, case, Wish(case.removed, case.factors, share))
    factor = 2.0 ** min(MOST_DOUBLINGS, max(-MOST_DOUBLINGS, float(value)))
    factors = {each: kept for each, kept in case.factors.items() if each != name}
    if factor != 1.0:
        factors[str(name)] = factor
    return with_moved(engine, case, Wish(case.removed, factors, case.image_share))


def with_moved(
    engine: ReadingEngine, case: Case, wish: Wish, sentence: str | None = None
) -> Screen:
    """Recompute with what the reader wishes; a status sentence may be given."""
    if case.result is None:
        return Screen(banner=Banner(text.NOT_FINISHED))
    full = case.result
    known = {item.candidate_id for item in full.candidates}
    removed = wish.removed & known
    if removed == known:
        return Screen(banner=Banner(text.LAST_CANDIDATE))
    factors = {name: each for name, each in (wish.factors or {}).items() if name in known}
    wish = Wish(removed, factors, wish.image_share if full.final.image_head else None)
    try:
        result = wish.apply(engine, full)
        flip_to = answer_without_decisive(engine, full, wish)
        kept = tuple(item for item in result.candidates if item.candidate_id not in removed)
        reading = reading_of(result.model_copy(update={"candidates": kept}))
        value = viewer_value(
            case,
            reading,
            engine,
            removed=removed,
            order=full.candidates,
            sends_pictures=sentence is not None,
        )
    except Exception as error:
        return Screen(banner=Banner(failure(error)))
    case.removed, case.factors, case.image_share = removed, factors, wish.image_share
    is_moved = result.moved is not None
    done = text.moved_status(len(removed), len(known)) if is_moved else text.STATUS_RESTORED
    return Screen(
        status=Status(sentence or done),
        viewer=value,
        diagnosis=Diagnosis.of(
            reading,
            engine.info,
            flip_to=flip_to,
            finals=case.finals,
            drawn_as="" if is_moved else case.drawn_as,
        ),
    )


def answer_without_decisive(
    engine: ReadingEngine, full: Result, wish: Wish | None = None
) -> str | None:
    """Return the answer that would stand without the decisive candidate, or None.

    Args:
        engine: does the arithmetic.
        full: of a run.
        wish: what is moved in it.
    """
    wish = wish or Wish()
    result = wish.apply(engine, full)
    decisive = result.consistency.decisive_candidate
    present = {item.candidate_id for item in result.candidates}
    if decisive is None or decisive not in present or len(present) < 2:
        return None
    return wish.apply(engine, full, decisive).final.prediction
