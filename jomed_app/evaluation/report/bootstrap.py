"""Figures of systems on the same resamples of the cases, and differences between them.

Letters in docstrings: N cases, R resamples.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from jomed_app.evaluation.metrics.intervals import (
    Interval,
    Metric,
    mcnemar,
    percentile_interval,
    resample_groups,
)
from jomed_app.evaluation.report.schema import Difference, MetricName, Range, Subset
from jomed_app.evaluation.report.scores import ScoreTable


class Bootstrap:
    """Figures of systems on the same resamples of the cases, each worked out once.

    Args:
        table: the cases and what every system scored.
        seed: equal seeds give equal draws.
        num_resamples: >= 1.
    """

    def __init__(self, table: ScoreTable, seed: int, num_resamples: int) -> None:
        self.table = table
        self._seed, self._num_resamples = seed, num_resamples
        self._draws: dict[Subset, list[NDArray[np.intp]]] = {}
        self._figures: dict[tuple[str, MetricName, Subset], NDArray[np.float64]] = {}

    def interval(self, system: str, metric: MetricName) -> Interval:
        """One system's figure on all cases."""
        found = self._of(system, metric, "all", np.arange(len(self.table.cases)))
        return percentile_interval(found[0], found[1:])

    def difference(
        self, pair: tuple[str, str], metric: MetricName, subset: Subset, index: NDArray[np.intp]
    ) -> Difference:
        """First minus second on a subset of the cases."""
        first, second = pair
        gain = self._of(first, metric, subset, index) - self._of(second, metric, subset, index)
        found = percentile_interval(gain[0], gain[1:])
        test = None
        if metric == "accuracy":
            test = mcnemar(
                self.table.is_correct(first)[index], self.table.is_correct(second)[index]
            )
        return Difference(
            first=first,
            second=second,
            metric=metric,
            subset=subset,
            n=len(index),
            difference=known(found.value),
            ci=known_range(found),
            first_only=test.first_only if test else None,
            second_only=test.second_only if test else None,
            mcnemar_p=test.p_value if test else None,
        )

    def of_metric(self, metric: Metric) -> Interval:
        """A figure of all cases that no system alone tells."""
        everything = np.arange(len(self.table.cases))
        drawn = [metric(index) for index in self._resamples("all", everything)]
        return percentile_interval(metric(everything), np.array(drawn))

    def _of(
        self, system: str, metric: MetricName, subset: Subset, index: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """(1 + R,) a figure on the cases of a subset, then on each of R resamples of it."""
        key = system, metric, subset
        if key not in self._figures:
            figure = self.table.metric(system, metric, index)
            drawn = [figure(each) for each in self._resamples(subset, index)]
            self._figures[key] = np.array([figure(np.arange(len(index))), *drawn])
        return self._figures[key]

    def _resamples(self, subset: Subset, index: NDArray[np.intp]) -> list[NDArray[np.intp]]:
        if subset not in self._draws:
            groups = [self.table.groups[case] for case in index]
            generator = np.random.default_rng(self._seed)
            self._draws[subset] = list(resample_groups(groups, generator, self._num_resamples))
        return self._draws[subset]


def mean_of(values: NDArray[np.generic]) -> float | None:
    """Mean, or None of nothing."""
    return float(np.mean(values.astype(np.float64))) if values.size else None


def known(value: float) -> float | None:
    """None for what the cases do not define."""
    return None if math.isnan(value) else value


def known_range(interval: Interval) -> Range | None:
    """None for what the cases do not define."""
    return None if math.isnan(interval.low) else (interval.low, interval.high)
