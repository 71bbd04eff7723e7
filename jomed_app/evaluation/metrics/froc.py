"""Boxes with scores, told true from false: FROC, calibration and the threshold to show from.

Letters in docstrings: P boxes of all images together, S different scores and infinity.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jomed_app.boxes import Box, iou_matrix
from jomed_app.types import OperatingPoint

FloatArray = NDArray[np.float64]
TRUE_IOU = 0.5
FROC_RATES = (1 / 8, 1 / 4, 1 / 2, 1.0, 2.0, 4.0)
THRESHOLDS = tuple(step / 20 for step in range(1, 20))


@dataclass(frozen=True, slots=True)
class ScoredBoxes:
    """Every box of a set of images, told true from false.

    Attributes:
        scores: (P,) finite, higher is surer.
        is_true: (P,) whether the box found a lesion that no surer box had found.
        num_lesions: lesions in all images.
        num_images: images, those without a lesion among them.
    """

    scores: FloatArray
    is_true: NDArray[np.bool_]
    num_lesions: int
    num_images: int


@dataclass(frozen=True, slots=True)
class FrocCurve:
    """Sensitivity against false boxes, from the highest threshold to the lowest.

    Attributes:
        thresholds: (S,) descending; boxes with score >= threshold are shown.
        sensitivity: (S,) share of lesions found, in [0, 1]; NaN without a lesion.
        false_per_image: (S,) false boxes per image, >= 0.
    """

    thresholds: FloatArray
    sensitivity: FloatArray
    false_per_image: FloatArray


def mark_true_boxes(
    predicted: Sequence[Sequence[Box]],
    scores: Sequence[Sequence[float]],
    reference: Sequence[Sequence[Box]],
    min_iou: float = TRUE_IOU,
) -> ScoredBoxes:
    """Tell true boxes from false ones in N images.

    Ours: as in COCO, boxes of an image are taken from the surest down; each finds the lesion that
    it overlaps most among those not yet found, if their IoU is at least `min_iou`. A second box
    on a lesion is false: on a screen it is one box too many.

    Args:
        predicted: boxes per image, px.
        scores: a score per box.
        reference: true boxes per image; empty without a lesion.
        min_iou: in (0, 1].

    Returns:
        The boxes of all images, in the order of images, the surest first within each.

    Raises:
        ValueError: if numbers of images or of boxes and scores differ, there is no image, a score
            is not finite or min_iou lies outside (0, 1].
    """
    if not len(predicted) == len(scores) == len(reference) or not reference:
        raise ValueError(
            "boxes, scores and true boxes must be given for the same one or more images, found "
            f"{len(predicted)}, {len(scores)} and {len(reference)}"
        )
    if not 0 < min_iou <= 1:
        raise ValueError(f"min_iou must lie in (0, 1], found {min_iou}; try {TRUE_IOU}")
    kept_scores: list[float] = []
    kept_true: list[bool] = []
    for boxes, box_scores, lesions in zip(predicted, scores, reference, strict=True):
        if len(boxes) != len(box_scores):
            raise ValueError(
                f"every box must have a score, found {len(boxes)} boxes and {len(box_scores)} "
                "scores of one image"
            )
        overlap = iou_matrix(boxes, lesions)
        for place in np.argsort(-np.asarray(box_scores, dtype=np.float64), kind="stable"):
            best = int(overlap[place].argmax()) if lesions else 0
            is_true = bool(lesions) and bool(overlap[place, best] >= min_iou)
            if is_true:
                overlap[:, best] = 0.0
            kept_scores.append(float(box_scores[place]))
            kept_true.append(is_true)
    if not np.isfinite(kept_scores).all():
        raise ValueError("scores must be finite, found others; check the model that gave them")
    return ScoredBoxes(
        scores=np.asarray(kept_scores, dtype=np.float64),
        is_true=np.asarray(kept_true, dtype=bool),
        num_lesions=sum(len(lesions) for lesions in reference),
        num_images=len(reference),
    )


def froc_curve(boxes: ScoredBoxes) -> FrocCurve:
    """Return sensitivity and false boxes per image at every score that occurs.

    Source: Bunch et al. 1978, free-response operating characteristic.

    Returns:
        The curve, which begins at threshold infinity, where no box is shown.
    """
    order = np.argsort(-boxes.scores, kind="stable")
    scores = np.append(np.inf, boxes.scores[order])
    is_last = np.append(scores[1:] != scores[:-1], True)  # equal scores go together
    found = np.cumsum(np.append(0, boxes.is_true[order]))[is_last]
    false = np.cumsum(np.append(0, ~boxes.is_true[order]))[is_last]
    scores = scores[is_last]
    sensitivity = found / boxes.num_lesions if boxes.num_lesions else np.full(len(found), np.nan)
    return FrocCurve(scores, sensitivity, false / boxes.num_images)


def froc_score(curve: FrocCurve, rates: Sequence[float] = FROC_RATES) -> float:
    """Return the mean sensitivity at given numbers of false boxes per image, in [0, 1].

    Source: LUNA16, arXiv:1612.08012, which takes seven rates from 1/8 to 8.
    Ours: six rates up to 4; at each, the best sensitivity of a threshold that keeps to it, without
    interpolation.

    Returns:
        NaN when there is no lesion.

    Raises:
        ValueError: if there is no rate.
    """
    if not len(rates):
        raise ValueError("a FROC score requires one rate or more, found none")
    if np.isnan(curve.sensitivity).any():
        return math.nan
    kept = [curve.sensitivity[curve.false_per_image <= rate] for rate in rates]
    return float(np.mean([reached.max(initial=0.0) for reached in kept]))


def operating_points(
    boxes: ScoredBoxes, thresholds: Sequence[float] = THRESHOLDS
) -> tuple[OperatingPoint, ...]:
    """Say for every threshold which share of the shown boxes is false, and of lesions found.

    A threshold at which no box is shown is left out, and so is every one without a lesion.
    """
    points = []
    for threshold in thresholds if boxes.num_lesions else ():
        is_shown = boxes.scores >= threshold
        if is_shown.any():
            found = int(boxes.is_true[is_shown].sum())
            false_share = 1 - found / int(is_shown.sum())
            points.append(
                OperatingPoint(
                    threshold=threshold,
                    false_share=false_share,
                    found_share=found / boxes.num_lesions,
                )
            )
    return tuple(points)


def _checked(scores: ArrayLike, is_true: ArrayLike) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Scores and truth values that fit each other."""
    values, truth = np.asarray(scores, dtype=np.float64), np.asarray(is_true, dtype=bool)
    if values.ndim != 1 or values.shape != truth.shape or not len(values):
        raise ValueError(
            f"one or more boxes must have a score and a truth value each, found {values.shape} and "
            f"{truth.shape}"
        )
    if not np.isfinite(values).all():
        raise ValueError("scores must be finite, found others; check the model that gave them")
    return values, truth
