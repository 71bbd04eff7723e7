"""The reader's own log of a case: one row a step, kept by the browser alone."""

from __future__ import annotations

from typing import Any

from jomed_app.export.saved import pixels_sha256
from jomed_app.ui.protocol import InfoView
from jomed_app.ui.session import Case
from jomed_app.ui.study.study import STEPS, Given, Step

HASH_DIGITS = 12  # ours: a row is found again beside a table of results, by its `pixels_sha256`


def study_rows(case: Case, info: InfoView) -> list[dict[str, Any]]:
    """Return what the reader said of a case, in plain values, one row a step.

    What is known of the case, and what the answer was, stand in rows of steps that showed it: the
    answer from its step on, the truth in the last, which is written when all is said.

    Args:
        case: with a study.
        info: of the engine.
    """
    study = case.study
    if study is None or not study.given:
        return []
    digest = pixels_sha256(case.image.model_input)[:HASH_DIGITS]
    about = {
        "read": study.read_id,
        "case": digest,
        "frame": case.image.frame,
        "task": info.task.name,
        "bundle": info.bundle,
        "index": info.index,
    }
    return [about | _row(case, info, given) for given in study.given]


def _row(case: Case, info: InfoView, given: Given) -> dict[str, Any]:
    """Return the part of a row that tells of its step."""
    said, task = given.read, info.task
    final = None if case.result is None else case.result.final
    saw_answer = final is not None and STEPS.index(given.step) >= STEPS.index(Step.ANSWER)
    answer = (final.prediction or "") if final is not None and saw_answer else ""
    truth = case.drawn_as if given.step is Step.PLACES else ""
    return {
        "step": given.step.value,
        "shown": " + ".join(each.value for each in STEPS[1 : STEPS.index(given.step) + 1]),
        "at": given.at,
        "seconds": round(given.seconds, 1),
        "seconds_total": round(given.seconds_total, 1),
        "category": said.category,
        "acts": int(said.calls_positive(task)),
        "probability": said.probability,
        "confidence": said.confidence,
        "findings": "; ".join(f"{name} {value}" for name, value in said.findings.items()),
        "positive": task.positive_label,
        "answer": answer,
        "answer_probability": round(final.probabilities.get(answer, 0.0), 4)
        if final is not None and answer
        else "",
        "truth": truth,
    }
