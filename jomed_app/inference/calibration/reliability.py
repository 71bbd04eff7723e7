"""How often stated probabilities were right: reliability bins, intervals, error rates per state.

Letters in docstrings: N cases, C classes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field
from scipy.special import ndtri

from jomed_app.types import Frozen

FloatArray = NDArray[np.float64]


def expected_calibration_error(
    probabilities: ArrayLike, labels: ArrayLike, num_bins: int = 15
) -> float:
    """Return the top-label expected calibration error over bins of equal width, in [0, 1].

    Source: arXiv:1706.04599, section 2.

    Args:
        probabilities: (N, C) rows summing to 1.
        labels: (N,) integers in [0, C).
        num_bins: >= 1.

    Raises:
        ValueError: if there is no case, shapes and labels do not fit or num_bins < 1.
    """
    if num_bins < 1:
        raise ValueError(f"num_bins must be >= 1, found {num_bins}")
    rows, index = checked_cases(probabilities, labels)
    confidence = rows.max(axis=1)
    is_correct = rows.argmax(axis=1) == index
    bins = np.clip(np.ceil(confidence * num_bins).astype(int) - 1, 0, num_bins - 1)
    gaps = np.bincount(bins, weights=is_correct - confidence, minlength=num_bins)
    return float(np.abs(gaps).sum() / len(index))


def wilson_interval(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the Wilson score interval of a share; (0, 1) when nothing was tried.

    Raises:
        ValueError: if not 0 <= successes <= trials.
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"successes must lie in [0, {trials}], found {successes}")
    if trials == 0:
        return 0.0, 1.0
    # Wilson 1927. SciPy's `binomtest` gives the same; importing it would delay the first answer.
    z = float(ndtri(0.5 + confidence / 2))
    share, spread = successes / trials, z * z / trials
    middle = (share + spread / 2) / (1 + spread)
    reach = z / (1 + spread) * math.sqrt(share * (1 - share) / trials + spread / (4 * trials))
    return max(0.0, middle - reach), min(1.0, middle + reach)


class ReliabilityTable(Frozen):
    """How often the predicted class was right, per bin of its stated probability."""

    edges: tuple[float, ...] = Field(
        description="inner borders, ascending; a value on a border belongs to the right"
    )
    counts: tuple[int, ...] = Field(description="cases per bin, one more than edges, each >= 1")
    num_correct: tuple[int, ...] = Field(description="right predictions per bin")
    mean_probability: tuple[float, ...] = Field(description="mean stated probability, in [0, 1]")

    def interval(self, probability: float, confidence: float = 0.95) -> tuple[float, float]:
        """Return an interval of the predicted class's probability from the cases alike.

        Ours: the Wilson interval of the bin's share of right predictions, widened where needed
        to hold the stated probability itself, so that miscalibration shows as width.

        Args:
            probability: stated probability of the predicted class, in [0, 1].
            confidence: of the interval, in (0, 1).

        Raises:
            ValueError: if probability lies outside [0, 1].
        """
        if not 0 <= probability <= 1:
            raise ValueError(f"probability must lie in [0, 1], found {probability}")
        place = int(np.searchsorted(self.edges, probability, side="right"))
        low, high = wilson_interval(self.num_correct[place], self.counts[place], confidence)
        return min(low, probability), max(high, probability)


def fit_reliability(
    probabilities: ArrayLike, labels: ArrayLike, num_bins: int = 5
) -> ReliabilityTable:
    """Count right predictions in bins that hold about equally many cases.

    Args:
        probabilities: (N, C) calibrated, out-of-fold.
        labels: (N,) integers in [0, C).
        num_bins: at most; equal probabilities share a bin.

    Raises:
        ValueError: if there is no case, shapes and labels do not fit or num_bins < 1.
    """
    if num_bins < 1:
        raise ValueError(f"num_bins must be >= 1, found {num_bins}")
    rows, index = checked_cases(probabilities, labels)
    confidence = rows.max(axis=1)
    is_correct = rows.argmax(axis=1) == index
    shares = np.arange(1, num_bins) / num_bins
    edges = np.unique(np.quantile(confidence, shares, method="inverted_cdf"))
    edges = edges[edges > confidence.min()]
    bins = np.searchsorted(edges, confidence, side="right")
    counts = np.bincount(bins, minlength=len(edges) + 1)
    return ReliabilityTable(
        edges=tuple(edges.tolist()),
        counts=tuple(counts.tolist()),
        num_correct=tuple(np.bincount(bins, is_correct).astype(int).tolist()),
        mean_probability=tuple((np.bincount(bins, confidence) / counts).tolist()),
    )


class ErrorRate(Frozen):
    """Share of wrong answers among cases in one warning state, with a 95 % Wilson interval."""

    num_cases: int
    num_errors: int
    rate: float
    interval: tuple[float, float]


def error_rate_by_state(states: Sequence[str], is_correct: ArrayLike) -> dict[str, ErrorRate]:
    """Return the error rate within each state that occurs, states sorted by name.

    Args:
        states: N warning states.
        is_correct: (N,) truth values.

    Raises:
        ValueError: if the lengths differ.
    """
    correct = np.asarray(is_correct, dtype=bool)
    if correct.shape != (len(states),):
        raise ValueError(f"one truth value per state, found {correct.shape} for {len(states)}")
    names = np.asarray([str(state) for state in states])
    rates = {}
    for name in sorted(set(names.tolist())):
        wrong = ~correct[names == name]
        errors = int(wrong.sum())
        interval = wilson_interval(errors, wrong.size)
        rates[name] = ErrorRate(
            num_cases=wrong.size, num_errors=errors, rate=errors / wrong.size, interval=interval
        )
    return rates


def checked_cases(rows: ArrayLike, labels: ArrayLike) -> tuple[FloatArray, NDArray[np.intp]]:
    """Return (N, C) float64 rows and (N,) label indexes that fit each other.

    Raises:
        ValueError: if there is no case, a value is NaN, or a label lies outside [0, C).
    """
    values, index = np.asarray(rows, dtype=np.float64), np.asarray(labels)
    if values.ndim != 2 or values.shape[0] == 0 or index.shape != values.shape[:1]:
        raise ValueError(
            f"cases must be (N, C) with N labels and N >= 1, found {values.shape} and {index.shape}"
        )
    if np.isnan(values).any():
        raise ValueError("cases must hold no NaN; check the model that produced them")
    if (
        not np.issubdtype(index.dtype, np.integer)
        or ((index < 0) | (index >= values.shape[1])).any()
    ):
        raise ValueError(f"labels must be integers in [0, {values.shape[1]}), found others")
    return values, index.astype(np.intp)
