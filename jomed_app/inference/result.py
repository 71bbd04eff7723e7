"""From what was found, read and concluded to the values of a result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jomed_app.data.tasks import Task
from jomed_app.data.wording.answers import report_sentence
from jomed_app.inference.calibration.box_score import BoxScore
from jomed_app.inference.conclusion.aggregate import prediction_counts
from jomed_app.inference.conclusion.conclude import Conclusion, Weighed
from jomed_app.models.localizer.detection import Detection, heat_in_image
from jomed_app.models.pixels import Letterbox
from jomed_app.models.reader.protocol import Description
from jomed_app.retrieval.index import CandidateIndex
from jomed_app.retrieval.search import Hit
from jomed_app.types import (
    BoxResult,
    CandidateResult,
    Consistency,
    ConsistencyState,
    FinalResult,
    HeatMap,
    Result,
)

SMALLEST_PROBABILITY = 1e-12


def found_candidate(
    index: CandidateIndex,
    hit: Hit,
    weight: float,
    other_rank: int | None = None,
    image_percentile: float | None = None,
) -> CandidateResult:
    """Describe a hit as the screen shows it, before it is read."""
    record = index.candidate(hit.candidate_id)
    return CandidateResult(
        rank=hit.rank,
        candidate_id=hit.candidate_id,
        heads=hit.heads,
        retriever_score=hit.retriever_score,
        weight=weight,
        similarity_percentile=index.percentile(hit.retriever_score, hit.best_head),
        image_percentile=image_percentile,
        label=record.label,
        passage=record.passage,
        provenance=record.provenance,
        other_rank=other_rank,
        rows=record.rows,
        columns=record.columns,
        boxes=record.boxes,
    )


def read_candidate(
    found: CandidateResult,
    task: Task,
    log_prob: NDArray[np.float64],
    log_likelihood: NDArray[np.float64],
) -> CandidateResult:
    """Fill in what the reader said.

    Args:
        found: not read yet.
        task: names the labels.
        log_prob: (C,) nats, normalized.
        log_likelihood: (C,) nats, over all texts.
    """
    best = int(log_prob.argmax())
    return found.model_copy(
        update={
            "prediction": task.labels[best],
            "probabilities": _by_label(task.labels, np.exp(log_prob)),
            "answer_log_likelihood": float(log_likelihood[best]),
        }
    )


def word_conclusion(
    conclusion: Conclusion,
    labels: Sequence[str],
    candidate_ids: Sequence[str],
    *,
    counter: str | None = None,
) -> tuple[FinalResult, Consistency]:
    """Word the conclusion of one case.

    Args:
        conclusion: without leading axes, of one candidate or more.
        labels: C names.
        candidate_ids: K ids.
        counter: the nearest case of another label than the answer.
    """
    weighed, calibration = conclusion.weighed, conclusion.profile.calibration
    probability = conclusion.probabilities
    best = int(probability.argmax())
    abstained = bool(conclusion.abstains)
    reason = (
        f"none of {', '.join(labels)} can be ruled out for this image; compare the cases yourself"
    )
    interval = None
    if calibration.reliability is not None:
        interval = calibration.reliability.interval(min(1.0, float(probability[best])))
    is_new = np.zeros(len(labels), dtype=np.bool_) if weighed.is_new is None else weighed.is_new
    final = FinalResult(
        prediction=None if abstained else labels[best],
        probabilities=_by_label(labels, probability),
        interval=interval,
        query_only_prediction=None
        if weighed.alone is None
        else labels[int(weighed.alone.argmax())],
        neighbor_vote={} if weighed.vote is None else _by_label(labels, weighed.vote),
        neighbor_weight=conclusion.vote_share,
        image_head=(
            {}
            if weighed.image is None
            else {
                label: float(said)
                for label, said, new in zip(labels, weighed.image, is_new, strict=True)
                if not new
            }
        ),
        image_head_weight=conclusion.image_share,
        index_only=tuple(label for label, new in zip(labels, is_new, strict=True) if new),
        abstained=abstained,
        reason=reason if abstained else None,
    )
    assert weighed.candidates is not None, "a result is made beside candidates"
    decisive = conclusion.decisive()
    consistency = Consistency(
        state=ConsistencyState.ABSTAIN if abstained else conclusion.states.item(),
        counts=prediction_counts(weighed.candidates, labels),
        decisive_candidate=None if decisive is None else candidate_ids[decisive],
        counter_candidate=None if abstained else counter,
    )
    return final, consistency


def refused(reason: str, asks: tuple[str, ...] = ()) -> tuple[FinalResult, Consistency]:
    """No answer at all, why, and which failed checks may be gone past."""
    return (
        FinalResult(prediction=None, probabilities={}, abstained=True, reason=reason, asks=asks),
        Consistency(state=ConsistencyState.ABSTAIN),
    )


def weighed_again(
    candidates: Sequence[CandidateResult], final: FinalResult, labels: Sequence[str]
) -> Weighed:
    """What a result holds, in the form in which it is combined, for some of its candidates.

    Args:
        candidates: K >= 1 that were read; their weights need not sum to 1.
        final: what was said beside them.
        labels: C names.
    """
    weights = np.log([max(each.weight, SMALLEST_PROBABILITY) for each in candidates])
    rows = [_in_order(each.probabilities, labels) for each in candidates]
    alone = None
    if (said := final.query_only_prediction) is not None and said in labels:
        alone = np.log(_in_order({said: 1.0}, labels))
    return Weighed(
        log_weights=weights - np.logaddexp.reduce(weights),
        candidates=np.log(rows),
        alone=alone,
        vote=_in_order(final.neighbor_vote, labels) if final.neighbor_vote else None,
        image=_in_order(final.image_head, labels, 0.0) if final.image_head else None,
        is_new=np.array([label in final.index_only for label in labels]),
    )


def with_conclusion(
    result: Result,
    candidates: tuple[CandidateResult, ...],
    final: FinalResult,
    consistency: Consistency,
) -> Result:
    """Return the result with other candidates and what they conclude; the rest is kept."""
    return result.model_copy(
        update={"candidates": candidates, "final": final, "consistency": consistency}
    )


def shown_findings(
    description: Description,
    found: Detection,
    place: Letterbox,
    task: Task,
    final: FinalResult,
    label: str,
    score: BoxScore,
) -> dict[str, Any]:
    """Boxes, heat map, findings and report as a result holds them; see `box_results`."""
    return described(description, task, label) | {
        "boxes": box_results(found, place, task, final, label, score),
        "heatmap": heat_map(found, place),
    }


def described(description: Description, task: Task, label: str) -> dict[str, Any]:
    """Findings and report as a result holds them."""
    findings = description.findings
    top = {name: _likeliest(values) for name, values in findings.items()}
    return {"findings": findings, "report": report_sentence(task, label, top)}


def box_results(
    found: Detection, place: Letterbox, task: Task, final: FinalResult, label: str, score: BoxScore
) -> tuple[BoxResult, ...]:
    """Put the localizer's box into the image, with the probability that it covers a lesion.

    Args:
        found: by the localizer.
        place: how the image lies in its square.
        task: names the finding and the labels without one.
        final: the calibrated probabilities.
        label: the most probable label.
        score: weighs what the diagnosis and the localizer say.
    """
    box = place.to_image(found.box) if task.has_boxes else None
    if box is None:
        return ()
    x0, y0, x1, y1 = box.as_tuple()
    probabilities = [final.probabilities.get(name, 0.0) for name in task.labels]
    empty = [task.labels.index(name) for name in task.empty_labels]
    sure = score.of_answer(probabilities, empty, found.presence, found.scores[0])
    name = task.finding if label in task.empty_labels else label
    return (BoxResult(x0=x0, y0=y0, x1=x1, y1=y1, score=sure, label=name),)


def heat_map(found: Detection, place: Letterbox) -> HeatMap:
    """Where the localizer's class query looked, over the image."""
    heat = heat_in_image(found.attention, place)
    rows, columns = heat.shape
    return HeatMap(rows=rows, columns=columns, values=tuple(heat.flatten().tolist()))


def _by_label(labels: Sequence[str], values: NDArray[np.float64]) -> dict[str, float]:
    return dict(zip(labels, map(float, values), strict=True))


def _in_order(
    said: Mapping[str, float], labels: Sequence[str], least: float = SMALLEST_PROBABILITY
) -> NDArray[np.float64]:
    """(C,) values in the order of the labels, none below `least`."""
    return np.array([max(said.get(label, 0.0), least) for label in labels])


def _likeliest(values: Mapping[str, float]) -> str:
    return max(values, key=lambda value: values[value])
