"""From what was found and read to the values of a result."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jomed_app.data.tasks import Task
from jomed_app.data.wording.answers import report_sentence
from jomed_app.inference.calibration.box_score import BoxScore
from jomed_app.inference.case_reader import Description
from jomed_app.inference.conclude import Conclusion
from jomed_app.inference.settings import EngineSettings
from jomed_app.models.heads import LinearHead
from jomed_app.models.localizer.detection import Found, heat_in_image
from jomed_app.models.pixels import Letterbox
from jomed_app.retrieval.index import CandidateIndex
from jomed_app.retrieval.search import Hit
from jomed_app.retrieval.vote import neighbor_vote
from jomed_app.types import BoxResult, CandidateResult, FinalResult, HeatMap, Result


def found_candidate(
    index: CandidateIndex, hit: Hit, weight: float, other_rank: int | None = None
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
            "probabilities": dict(zip(task.labels, np.exp(log_prob).tolist(), strict=True)),
            "answer_log_likelihood": float(log_likelihood[best]),
        }
    )


def found_boxes(
    found: Found, place: Letterbox, task: Task, final: FinalResult, label: str, score: BoxScore
) -> tuple[BoxResult, ...]:
    """Put the localizer's box into the image, with the probability that it covers a lesion.

    Ours: what the diagnosis leaves to labels with a finding counts too, so that an image that is
    called normal hides its box unless the threshold is lowered.

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
    finding = 1.0 - sum(final.probabilities.get(name, 0.0) for name in task.empty_labels)
    sure = score.of(finding, found.presence, found.scores[0])
    name = task.finding if label in task.empty_labels else label
    return (BoxResult(x0=x0, y0=y0, x1=x1, y1=y1, score=sure, label=name),)


def heat_map(found: Found, place: Letterbox) -> HeatMap:
    """Where the localizer's class query looked, over the image."""
    heat = heat_in_image(found.attention, place)
    rows, columns = heat.shape
    return HeatMap(rows=rows, columns=columns, values=tuple(heat.flatten().tolist()))


def shown_findings(
    description: Description,
    found: Found,
    place: Letterbox,
    task: Task,
    final: FinalResult,
    label: str,
    score: BoxScore,
) -> dict[str, Any]:
    """Boxes, heat map, findings and report as a result holds them; see `found_boxes`."""
    findings = description.findings
    top = {name: _likeliest(values) for name, values in findings.items()}
    return {
        "boxes": found_boxes(found, place, task, final, label, score),
        "heatmap": heat_map(found, place),
        "findings": findings,
        "report": report_sentence(task, label, top),
    }


def _likeliest(values: Mapping[str, float]) -> str:
    return max(values, key=lambda value: values[value])


def with_conclusion(
    result: Result, candidates: tuple[CandidateResult, ...], conclusion: Conclusion
) -> Result:
    """Return the result with other candidates and what they conclude; the rest is kept."""
    return result.model_copy(
        update={
            "candidates": candidates,
            "final": conclusion.final,
            "consistency": conclusion.consistency,
        }
    )


def image_opinion(
    task: Task, found: Found, backbone: LinearHead, features: NDArray[np.float32]
) -> dict[str, float]:
    """What the image alone says: the localizer's class query, else the linear head.

    Args:
        task: names the labels, those of the index alone last: of them nothing is said; where it has
            no boxes the localizer is not asked.
        found: by the localizer.
        backbone: linear head on the tower.
        features: (F,) pooled tower features of the query.
    """
    if task.has_boxes:
        said = found.class_prob.tolist()
    else:
        said = np.exp(backbone.log_prob(features[None])[0]).tolist()
    return dict(zip(task.labels, said, strict=False))


def vote_of_nearest(
    index: CandidateIndex,
    task: Task,
    vector: NDArray[np.float32],
    own: Collection[str],
    settings: EngineSettings,
) -> dict[str, float]:
    """Let the nearest cases vote: label -> share, weighed by similarity.

    Args:
        index: what is searched, by the image head.
        task: order of the labels.
        vector: (D,) query vector of the image head.
        own: candidates left out, the query's own copies.
        settings: how many vote, and how sharply similarity counts.

    Returns:
        Shares that sum to 1; empty where none of the nearest has a label of the task.
    """
    place = {label: number for number, label in enumerate(task.labels)}
    near = [
        (hit.retriever_score, place[label])
        for hit in index.search(vector, "image", settings.num_neighbors, own)
        if (label := index.candidate(hit.candidate_id).label) in place
    ]
    if not near:
        return {}
    scores, labels = zip(*near, strict=True)
    shares = neighbor_vote(scores, labels, len(task.labels), settings.vote_temperature)
    return dict(zip(task.labels, shares.tolist(), strict=True))
