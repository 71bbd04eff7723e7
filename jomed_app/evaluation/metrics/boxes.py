"""How well boxes find lesions: optimal one-to-one matching, shares found, false boxes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from jomed_app.boxes import Box, iou_matrix


@dataclass(frozen=True, slots=True)
class LocalizationScores:
    """Figures over all cases; NaN where the cases do not define one.

    Attributes:
        mean_iou: mean IoU over lesions, in [0, 1]; a lesion without a box counts 0.
        iou30: share of lesions whose box reaches IoU 0.3.
        iou50: share of lesions whose box reaches IoU 0.5.
        false_boxes_per_normal: boxes per case without a lesion, >= 0.
        parse_rate: share of cases whose boxes could be read from the answer, in [0, 1].
        num_lesions: lesions counted.
        num_normal: cases without a lesion.
    """

    mean_iou: float
    iou30: float
    iou50: float
    false_boxes_per_normal: float
    parse_rate: float
    num_lesions: int
    num_normal: int


def lesion_ious(predicted: Sequence[Box], reference: Sequence[Box]) -> NDArray[np.float64]:
    """Return each reference box's IoU under the matching with the largest total IoU.

    Args:
        predicted: boxes of one image, px.
        reference: true boxes of the same image, px.

    Returns:
        (number of reference boxes,) in [0, 1]; 0 where no box was left for a lesion.
    """
    overlap = iou_matrix(reference, predicted)
    matched = np.zeros(len(reference))
    rows, columns = linear_sum_assignment(overlap, maximize=True)
    matched[rows] = overlap[rows, columns]
    return matched


def localization_scores(
    predicted: Sequence[Sequence[Box] | None], reference: Sequence[Sequence[Box]]
) -> LocalizationScores:
    """Score the boxes of N cases.

    Args:
        predicted: boxes per case, px of the query image; None when the answer could not be
            read, which counts as no box; an empty sequence is a readable "no lesion".
        reference: true boxes per case; empty for normal cases.

    Raises:
        ValueError: if the lengths differ or there is no case.
    """
    if len(predicted) != len(reference) or not reference:
        raise ValueError(
            "boxes must be given for the same one or more cases, "
            f"found {len(predicted)} predicted and {len(reference)} true"
        )
    pairs = list(zip(predicted, reference, strict=True))
    ious = np.concatenate([lesion_ious(found or (), true) for found, true in pairs])
    false_boxes = [len(found or ()) for found, true in pairs if not true]
    return LocalizationScores(
        mean_iou=_mean(ious),
        iou30=_mean(ious >= 0.3),
        iou50=_mean(ious >= 0.5),
        false_boxes_per_normal=_mean(np.asarray(false_boxes)),
        parse_rate=float(np.mean([found is not None for found in predicted])),
        num_lesions=ious.size,
        num_normal=len(false_boxes),
    )


@dataclass(frozen=True, slots=True)
class IouBin:
    """Accuracy of the cases whose IoU lies in [low, high), the last bin closed.

    Attributes:
        low, high: borders, in [0, 1].
        num_cases: cases in the bin.
        accuracy: share of them whose diagnosis is right, in [0, 1]; NaN without any.
    """

    low: float
    high: float
    num_cases: int
    accuracy: float


def accuracy_by_iou(ious: ArrayLike, is_correct: ArrayLike, num_bins: int = 5) -> list[IouBin]:
    """Say how often the diagnosis is right where boxes are good, and where they are not.

    Source: arXiv:2501.01377 (UMed-LVLM), the analysis of IoU against accuracy.

    Args:
        ious: (N,) IoU of each case's box, in [0, 1]; a case with several lesions has their mean.
        is_correct: (N,) truth values.
        num_bins: bins of equal width, >= 1; five are 0.2 wide.

    Returns:
        One entry per bin, from low to high, empty bins too.

    Raises:
        ValueError: if the lengths differ, an IoU lies outside [0, 1] or num_bins < 1.
    """
    values, correct = np.asarray(ious, dtype=np.float64), np.asarray(is_correct, dtype=bool)
    if values.ndim != 1 or values.shape != correct.shape:
        raise ValueError(
            f"every case must have an IoU and a truth value, found {values.shape} and "
            f"{correct.shape}"
        )
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("IoU must lie in [0, 1], found others; leave cases without a lesion out")
    if num_bins < 1:
        raise ValueError(f"num_bins must be >= 1, found {num_bins}")
    edges = np.arange(num_bins + 1) / num_bins
    place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, num_bins - 1)
    return [
        IouBin(
            low=float(edges[number]),
            high=float(edges[number + 1]),
            num_cases=int((place == number).sum()),
            accuracy=_mean(correct[place == number]),
        )
        for number in range(num_bins)
    ]


def _mean(values: NDArray[np.generic]) -> float:
    """Mean, or NaN of nothing."""
    return float(np.mean(values.astype(np.float64))) if values.size else math.nan
