"""Accuracy when only the most confident cases are answered.

A system's confidence is the probability of its most likely class. Cases of equal confidence count
as a random order of them would on average, so that the order of the cases changes nothing.

Letters in docstrings: N cases, C classes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from jomed_app.inference.calibration.reliability import checked_cases
from jomed_app.types import Frozen

CURVE_POINTS = 40
CURVE_DIGITS = 4


class CoverageCurve(Frozen):
    """Accuracy among the most confident cases, confidence being the top probability."""

    coverages: tuple[float, ...] = Field(description="shares of the cases, ascending, the last 1")
    accuracies: tuple[float, ...] = Field(description="among that share, four decimals")


def risk_coverage_area(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Return the area under the risk-coverage curve (AURC), in [0, 1]; lower is better.

    The mean, over k = 1 ... N, of the error rate among the k most confident cases.

    Source: arXiv:1805.08206, section 2. Ours: ties are averaged.

    Args:
        probabilities: (N, C) rows summing to 1.
        labels: (N,) integers in [0, C).

    Raises:
        ValueError: if there is no case, or shapes and labels do not fit.
    """
    return float(1 - _accuracy_among_first(probabilities, labels).mean())


def ranked_risk_area(probabilities: ArrayLike, labels: ArrayLike, ranks: ArrayLike) -> float:
    """Return the same area where a warning goes before confidence, in [0, 1]; lower is better.

    Cases are answered by rank, those of one rank by confidence. A rank that tells nothing of errors
    makes the area larger than confidence alone does.

    Args:
        probabilities: (N, C) rows summing to 1.
        labels: (N,) integers in [0, C).
        ranks: (N,) lower is answered first, such as 0 for candidates that agree.

    Raises:
        ValueError: as `risk_coverage_area`, or if there is not one rank a case.
    """
    return float(1 - _accuracy_among_first(probabilities, labels, ranks).mean())


def coverage_curve(
    probabilities: ArrayLike, labels: ArrayLike, num_points: int = CURVE_POINTS
) -> CoverageCurve:
    """Return the accuracy among the most confident cases at a few coverages, the last one 1.

    Args:
        probabilities: (N, C) rows summing to 1.
        labels: (N,) integers in [0, C).
        num_points: at most, >= 1; evenly spread, never more than there are cases.

    Raises:
        ValueError: if there is no case, shapes and labels do not fit or num_points < 1.
    """
    if num_points < 1:
        raise ValueError(f"num_points must be >= 1, found {num_points}")
    accuracy = _accuracy_among_first(probabilities, labels)
    count = len(accuracy)
    points = min(num_points, count)
    answered = -(-count * np.arange(1, points + 1) // points)  # rounded up
    return CoverageCurve(
        coverages=_rounded(answered / count), accuracies=_rounded(accuracy[answered - 1])
    )


def _accuracy_among_first(
    probabilities: ArrayLike, labels: ArrayLike, ranks: ArrayLike | None = None
) -> NDArray[np.float64]:
    """(N,) accuracy among the 1 ... N most confident cases, of the lowest rank first."""
    rows, index = checked_cases(probabilities, labels)
    is_correct = rows.argmax(axis=1) == index
    order = np.zeros(len(index)) if ranks is None else np.asarray(ranks, dtype=np.float64)
    if order.shape != index.shape:
        raise ValueError(f"one rank a case is needed, found {order.shape} for {len(index)} cases")
    keys = np.stack([order, -rows.max(axis=1)], axis=1)
    _, tied, sizes = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    shares = np.bincount(tied, weights=is_correct) / sizes
    right = np.cumsum(np.repeat(shares, sizes))
    return np.asarray(right / np.arange(1, len(index) + 1))


def _rounded(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(np.round(values, CURVE_DIGITS).tolist())
