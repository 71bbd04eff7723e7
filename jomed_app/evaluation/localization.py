"""How well boxes find lesions: optimal one-to-one matching, shares found, false boxes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
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


def _mean(values: NDArray[np.generic]) -> float:
    """Mean, or NaN of nothing."""
    return float(np.mean(values.astype(np.float64))) if values.size else math.nan
