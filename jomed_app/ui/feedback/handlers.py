"""Judging the answer that is shown: the form of a case, and what is kept of what was sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from jomed_app.errors import ReadError
from jomed_app.export.saved import pixels_sha256
from jomed_app.feedback.judgement import (
    MOST_WORDS,
    REASONS,
    VERDICTS,
    Judgement,
    OwnReads,
    PlaceMark,
    keyed,
)
from jomed_app.feedback.store import FeedbackStore
from jomed_app.inference.conclusion.standing import standing_of
from jomed_app.types import Result
from jomed_app.ui.handlers.removal import wish_of_case
from jomed_app.ui.handlers.screen import failure
from jomed_app.ui.panels.feedback.form import Form
from jomed_app.ui.protocol import ReadingEngine, TaskView, info_of
from jomed_app.ui.session import Case
from jomed_app.ui.study.study import Study
from jomed_app.ui.templates import render

NOTHING_TO_JUDGE = "An answer can be judged once it is there. Open the case again if it is gone."
KEPT = "Kept. You may change it while this case is open; the last word stands."
Find = Callable[[str], Case | None]


def feedback_servers(
    engine: ReadingEngine, find: Find, store: FeedbackStore
) -> list[Callable[[Mapping[str, Any]], dict[str, str]]]:
    """Return the functions that the page calls to get the form of a case, and to save it.

    Args:
        engine: works out the answer with what the reader moved.
        find: token -> case whose answer is shown, or None.
        store: where judgements are kept.
    """

    def shown(request: Mapping[str, Any]) -> tuple[Case, Result]:
        """Return the case that the page shows, and its answer as it is shown."""
        token = request.get("case") if isinstance(request, dict) else None
        case = find(token) if isinstance(token, str) else None
        if case is None or case.result is None or not case.result.candidates:
            raise ReadError(NOTHING_TO_JUDGE)
        return case, wish_of_case(case).apply(engine, case.result)

    def feedback_form(request: Mapping[str, Any]) -> dict[str, str]:
        """Return "html" of the form, or "error", a sentence."""
        try:
            case, result = shown(request)
            threshold = float(info_of(engine.info, case.retrieval).box_threshold)
            return {"html": render(Form(result, tuple(engine.info.task.labels), threshold))}
        except Exception as error:
            return {"error": failure(error)}

    def save_feedback(request: Mapping[str, Any]) -> dict[str, str]:
        """Return "said", a sentence, or "error", another."""
        try:
            case, result = shown(request)
            store.save(judgement_of(case, result, request, engine.info.task, store.key))
        except Exception as error:
            return {"error": failure(error)}
        return {"said": KEPT}

    return [feedback_form, save_feedback]


def judgement_of(
    case: Case, result: Result, sent: Mapping[str, Any], task: TaskView, key: bytes
) -> Judgement:
    """Return what is kept of what the page sent.

    Args:
        case: judged.
        result: as it is shown.
        sent: "verdict"; and as far as given "label", "reasons", "said", "similar", "places".
        task: its labels.
        key: of the hashes.

    Raises:
        ReadError: if there is no verdict, or the free text is too long.
    """
    if sent.get("verdict") not in VERDICTS:
        raise ReadError(f"a judgement requires one of {list(VERDICTS)}, found none; choose one")
    said = sent.get("said") if isinstance(sent.get("said"), str) else ""
    words = " ".join(str(said).split())
    if len(words) > MOST_WORDS:
        raise ReadError(
            f"the reason in words must be at most {MOST_WORDS} characters, found {len(words)}; "
            "shorten it"
        )
    final, similar, places = result.final, _marks(sent, "similar"), _marks(sent, "places")
    reasons = sent.get("reasons")
    return Judgement(
        reading=keyed(key, f"reading {case.token}"),
        case=keyed(key, f"case {pixels_sha256(case.image.model_input)}"),
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        app=result.versions.app,
        bundle=result.versions.bundle,
        index=result.versions.index,
        task=task.name,
        positive=task.positive_label,
        search=result.retrieval,
        state=standing_of(result.consistency, final, result.candidates).value,
        answer=final.prediction,
        probability=final.probabilities.get(final.prediction or "", 0.0),
        verdict=sent["verdict"],
        label=sent["label"] if sent.get("label") in task.labels else "",
        reasons=tuple(each for each in REASONS if isinstance(reasons, list) and each in reasons),
        said=words,
        similar={
            each.candidate_id: similar[each.candidate_id]
            for each in result.candidates
            if each.candidate_id in similar
        },
        places=tuple(
            PlaceMark(
                box=(box.x0, box.y0, box.x1, box.y1),
                label=box.label,
                score=box.score,
                is_right=places[str(number)],
            )
            for number, box in enumerate(result.boxes)
            if str(number) in places
        ),
        own=_own_reads(case.study, task),
        truth=case.drawn_as,
    )


def _marks(sent: Mapping[str, Any], name: str) -> dict[str, bool]:
    """Return the marks that are a plain yes or no."""
    marks = sent.get(name)
    found = marks if isinstance(marks, dict) else {}
    return {str(each): value for each, value in found.items() if isinstance(value, bool)}


def _own_reads(study: Study | None, task: TaskView) -> OwnReads | None:
    """Return the first and the last read of a study that was read to its end."""
    if study is None or study.is_open or study.is_skipped or not study.given:
        return None
    first, last = study.given[0].read, study.given[-1].read
    return OwnReads(
        category_before=first.category,
        category_after=last.category,
        probability_before=first.probability,
        probability_after=last.probability,
        acts_before=first.calls_positive(task),
        acts_after=last.calls_positive(task),
    )
