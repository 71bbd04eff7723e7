"""How sure a figure is: bootstraps over groups of cases, and McNemar's exact test.

Images of one patient or twins of one lesion are not independent, so whole groups are drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest

Metric = Callable[[NDArray[np.intp]], float]
"""A figure of the cases at these indexes (repeats allowed); NaN when they do not define it."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its percentile interval; NaN where the cases do not define it."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class McNemar:
    """Cases that one system alone gets right, and the exact two-sided p value."""

    first_only: int
    second_only: int
    p_value: float


def resample_groups(
    groups: Sequence[str], generator: np.random.Generator, num_resamples: int
) -> Iterator[NDArray[np.intp]]:
    """Yield the case indexes of as many groups as there are, drawn with replacement.

    Args:
        groups: one name per case; a group's cases are always drawn together.
        generator: source of randomness; equal seeds give equal draws.
        num_resamples: >= 1.

    Raises:
        ValueError: if there is no case or num_resamples < 1.
    """
    if len(groups) == 0:
        raise ValueError("a bootstrap needs one case or more, found none")
    if num_resamples < 1:
        raise ValueError(f"num_resamples must be >= 1, found {num_resamples}")
    _, membership = np.unique(np.asarray(groups), return_inverse=True)
    order = np.argsort(membership, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(membership))[:-1])
    for _ in range(num_resamples):
        drawn = generator.integers(len(members), size=len(members))
        yield np.concatenate([members[index] for index in drawn])


def bootstrap_interval(
    metric: Metric,
    groups: Sequence[str],
    generator: np.random.Generator,
    *,
    num_resamples: int = 1000,
    confidence: float = 0.95,
) -> Interval:
    """Return a metric on all cases with its percentile interval over resampled groups.

    Where every case scores alike (accuracy 1) the interval has no width: read it with n.

    Args:
        metric: figure of the cases at given indexes; resamples where it is NaN are left out.
        groups: one name per case.
        generator: source of randomness.
        num_resamples: >= 1.
        confidence: of the interval, in (0, 1).

    Raises:
        ValueError: if there is no case, num_resamples < 1 or confidence outside (0, 1).
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie in (0, 1), found {confidence}")
    drawn = np.array([metric(index) for index in resample_groups(groups, generator, num_resamples)])
    return percentile_interval(metric(np.arange(len(groups))), drawn, confidence=confidence)


def percentile_interval(
    value: float, drawn: NDArray[np.float64], *, confidence: float = 0.95
) -> Interval:
    """Return a figure with the percentiles of its resamples; those that are NaN are left out.

    Args:
        value: on all cases.
        drawn: (R,) on each resample.
        confidence: of the interval, in (0, 1).
    """
    drawn = drawn[np.isfinite(drawn)]
    if drawn.size == 0:
        return Interval(float(value), np.nan, np.nan)
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(value), float(low), float(high))


def paired_bootstrap(
    first: Metric,
    second: Metric,
    groups: Sequence[str],
    generator: np.random.Generator,
    *,
    num_resamples: int = 1000,
    confidence: float = 0.95,
) -> Interval:
    """Return metric(first) - metric(second) with an interval; both see the same resamples.

    Args:
        first: figure of one system on given cases.
        second: figure of the other system on the same cases.
        groups: one name per case.
        generator: source of randomness.
        num_resamples: >= 1.
        confidence: of the interval, in (0, 1).

    Raises:
        ValueError: as `bootstrap_interval`.
    """
    return bootstrap_interval(
        lambda index: first(index) - second(index),
        groups,
        generator,
        num_resamples=num_resamples,
        confidence=confidence,
    )


def mcnemar(first_correct: ArrayLike, second_correct: ArrayLike) -> McNemar:
    """Return McNemar's exact test of two systems on the same cases.

    Only cases that one system alone gets right tell the two apart; without any, p = 1.
    It takes cases as independent: with several images per group trust the bootstrap.

    Args:
        first_correct: (N,) truth values.
        second_correct: (N,) truth values, same cases in the same order.

    Raises:
        ValueError: if the lengths differ.
    """
    first, second = np.asarray(first_correct, dtype=bool), np.asarray(second_correct, dtype=bool)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(
            f"both systems must be scored on the same cases, found {first.shape} and {second.shape}"
        )
    first_only, second_only = int((first & ~second).sum()), int((second & ~first).sum())
    decided = first_only + second_only
    p_value = float(binomtest(first_only, decided).pvalue) if decided else 1.0
    return McNemar(first_only, second_only, p_value)
