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
_ROUNDING = 1e-9  # boxes; 0.29 of 100 is 29, whatever the product says
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


@dataclass(frozen=True, slots=True)
class BoxReliability:
    """How often boxes were true, per bin of their score.

    Attributes:
        low, high: borders of the bins, in [0, 1]; a bin is [low, high), the last closed.
        counts: boxes per bin.
        mean_score: mean score per bin; NaN for an empty one.
        share_true: share of true boxes per bin; NaN for an empty one.
        calibration_error: mean of |share_true - mean_score| over boxes, in [0, 1].
    """

    low: FloatArray
    high: FloatArray
    counts: NDArray[np.intp]
    mean_score: FloatArray
    share_true: FloatArray
    calibration_error: float


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


def box_reliability(scores: ArrayLike, is_true: ArrayLike, num_bins: int = 10) -> BoxReliability:
    """Compare scores, read as the probability that a box is true, with how often it was.

    Args:
        scores: (P,) in [0, 1].
        is_true: (P,) truth values, as of IoU >= 0.5.
        num_bins: bins of equal width, >= 1.

    Raises:
        ValueError: if there is no box, the lengths differ, a score lies outside [0, 1] or
            num_bins < 1.
    """
    values, truth = _checked(scores, is_true)
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("scores must lie in [0, 1] to be read as probabilities, found others")
    if num_bins < 1:
        raise ValueError(f"num_bins must be >= 1, found {num_bins}")
    edges = np.arange(num_bins + 1) / num_bins
    place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, num_bins - 1)
    counts = np.bincount(place, minlength=num_bins)
    sums = np.stack([np.bincount(place, each, num_bins) for each in (values, truth)])
    means = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
    return BoxReliability(
        low=edges[:-1],
        high=edges[1:],
        counts=counts,
        mean_score=means[0],
        share_true=means[1],
        calibration_error=float(np.abs(sums[0] - sums[1]).sum() / len(values)),
    )


def threshold_for_false_share(scores: ArrayLike, is_true: ArrayLike, share: float) -> float:
    """Return the lowest threshold at which at most a share of the shown boxes is false.

    Ours: chosen on validation images, where a box is shown when its score is >= the threshold. A
    larger share never gives a higher threshold.

    Args:
        scores: (P,) finite, higher is surer.
        is_true: (P,) truth values.
        share: in [0, 1].

    Returns:
        A score that occurs; infinity when no threshold keeps to the share, so that none is shown.

    Raises:
        ValueError: if there is no box, the lengths differ, a score is not finite or share lies
            outside [0, 1].
    """
    values, truth = _checked(scores, is_true)
    if not 0 <= share <= 1:
        raise ValueError(f"share must lie in [0, 1], found {share}")
    curve = froc_curve(ScoredBoxes(values, truth, num_lesions=1, num_images=1))
    false, found = curve.false_per_image, curve.sensitivity  # counts, as all is one image
    kept = curve.thresholds[false <= share * (false + found) + _ROUNDING]
    return float(kept.min())


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
