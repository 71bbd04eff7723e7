"""Scores of cases to a report: every system on the same cases, the same resamples.

Letters in docstrings: N cases, C classes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr

from jomed_app.evaluation.metrics import consistency
from jomed_app.evaluation.metrics.coverage import coverage_curve
from jomed_app.evaluation.metrics.intervals import (
    Interval,
    mcnemar,
    percentile_interval,
    resample_groups,
)
from jomed_app.evaluation.report.boxes import box_figures
from jomed_app.evaluation.report.figures import measured
from jomed_app.evaluation.report.schema import (
    Difference,
    EvaluationReport,
    MetricName,
    Range,
    Subset,
    SystemReport,
    read_report,
    write_report,
)
from jomed_app.evaluation.report.scores import CaseScores, ScoreTable, SystemScores
from jomed_app.inference.calibration.reliability import error_rate_by_state, fit_reliability

__all__ = [
    "CaseScores",
    "EvaluationReport",
    "SystemScores",
    "build_report",
    "read_report",
    "write_report",
]

RELIABILITY_BINS = 5


class _Bootstrap:
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
            difference=_known(found.value),
            ci=_known_range(found),
            first_only=test.first_only if test else None,
            second_only=test.second_only if test else None,
            mcnemar_p=test.p_value if test else None,
        )

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


def build_report(
    cases: Sequence[CaseScores],
    *,
    task: str,
    split: str,
    labels: Sequence[str],
    positive_label: str,
    bundle: str,
    index: str,
    seed: int = 0,
    reference_system: str = "rag",
    comparisons: Sequence[tuple[str, str]] | None = None,
    num_resamples: int = 1000,
) -> EvaluationReport:
    """Score all systems on the same cases.

    Args:
        cases: one or more; every case holds the same systems.
        task: name of the task.
        split: name of the split.
        labels: C label names; `CaseScores.label` counts in them.
        positive_label: the label that AUROC, sensitivity and specificity are about.
        bundle: version of the bundle that was scored.
        index: name of the corpus that candidates came from.
        seed: of the bootstrap; equal seeds give an equal report.
        reference_system: its disagreeing candidates fix the inconsistent subset; without such a
            system, or candidates of it, that subset is left out.
        comparisons: pairs (first, second) to take differences of; by default every other
            system against the reference.
        num_resamples: of each bootstrap, >= 1.

    Returns:
        The report.

    Raises:
        ValueError: if there is no case, cases repeat or hold different systems, a probability
            row is not (C,), a label is unknown or a comparison names a system not scored.
    """
    if positive_label not in labels:
        raise ValueError(f"positive_label must be one of {list(labels)}, found '{positive_label}'")
    table = ScoreTable(cases, len(labels), list(labels).index(positive_label))
    names = table.systems
    reference = reference_system if reference_system in names else None
    if comparisons is None:
        comparisons = [(name, reference) for name in names if reference and name != reference]
    for pair in comparisons:
        if unknown := sorted({*pair} - {*names}):
            raise ValueError(f"comparisons must name scored systems {names}, found {unknown}")
    bootstrap = _Bootstrap(table, seed, num_resamples)
    subset = _inconsistent_subset(table, reference)
    clean = np.flatnonzero([case.is_clean for case in cases])
    return EvaluationReport(
        task=task,
        split=split,
        labels=tuple(labels),
        positive_label=positive_label,
        n=len(cases),
        n_clean=len(clean),
        n_groups=len({case.group for case in cases}),
        n_inconsistent=None if subset is None else len(subset),
        reference_system=reference,
        seed=seed,
        num_resamples=num_resamples,
        bundle=bundle,
        index=index,
        systems={name: _system_report(bootstrap, name, labels, clean, subset) for name in names},
        differences=tuple(
            difference
            for pair in comparisons
            for difference in _differences(bootstrap, pair, clean, subset)
        ),
    )


def _system_report(
    bootstrap: _Bootstrap,
    name: str,
    label_names: Sequence[str],
    clean: NDArray[np.intp],
    subset: NDArray[np.intp] | None,
) -> SystemReport:
    """All figures of one system."""
    table = bootstrap.table
    rows, labels, correct = table.probabilities(name), table.labels, table.is_correct(name)
    accuracy, auroc = bootstrap.interval(name, "accuracy"), bootstrap.interval(name, "auroc")
    scores = table.of(name)
    figures: dict[str, Any] = measured(SystemReport, rows, labels, table.positive)
    figures |= _retrieval_figures(scores, labels) | box_figures(scores, table.cases)
    seconds = [score.seconds for score in scores if score.seconds is not None]
    stated = [(s.state, right) for s, right in zip(scores, correct, strict=True) if s.state]
    return SystemReport(
        accuracy=accuracy.value,
        accuracy_ci=(accuracy.low, accuracy.high),
        accuracy_clean=_mean(correct[clean]),
        recall={label_names[k]: float(correct[labels == k].mean()) for k in np.unique(labels)},
        auroc=_known(auroc.value),
        auroc_ci=_known_range(auroc),
        inconsistent_accuracy=None if subset is None else _mean(correct[subset]),
        **figures,
        seconds_per_case=_mean(np.array(seconds)),
        error_rates=error_rate_by_state([s for s, _ in stated], [right for _, right in stated]),
        reliability=fit_reliability(rows, labels, RELIABILITY_BINS),
        coverage=coverage_curve(rows, labels),
    )


def _retrieval_figures(
    scores: Sequence[SystemScores], labels: NDArray[np.intp]
) -> dict[str, float | None]:
    """Figures that need candidates in every case."""
    read = [s.candidate_probabilities for s in scores if s.candidate_probabilities is not None]
    found = [s.candidate_labels for s in scores if s.candidate_labels is not None]
    weights = [s.weights for s in scores if s.weights is not None]
    has_read, has_found = len(read) == len(scores), len(found) == len(scores)
    return {
        "inconsistent_rate": _mean(consistency.is_inconsistent(read)) if has_read else None,
        "oracle_accuracy": consistency.oracle_accuracy(read, labels) if has_read else None,
        "chance_oracle": consistency.chance_oracle(read) if has_read else None,
        "answer_variance": consistency.answer_variance(read, labels) if has_read else None,
        "label_agreement_at_k": (
            consistency.label_agreement_at_k(found, labels) if has_found else None
        ),
        "effective_candidates": _mean(np.array([np.exp(entr(row).sum()) for row in weights])),
    }


def _differences(
    bootstrap: _Bootstrap,
    pair: tuple[str, str],
    clean: NDArray[np.intp],
    subset: NDArray[np.intp] | None,
) -> list[Difference]:
    """Accuracy on each subset and AUROC on all cases."""
    everything = np.arange(len(bootstrap.table.cases))
    found = [
        bootstrap.difference(pair, "accuracy", "all", everything),
        bootstrap.difference(pair, "auroc", "all", everything),
    ]
    if 0 < len(clean) < len(everything):
        found.append(bootstrap.difference(pair, "accuracy", "clean", clean))
    if subset is not None and len(subset):
        found.append(bootstrap.difference(pair, "accuracy", "inconsistent", subset))
    return found


def _inconsistent_subset(table: ScoreTable, reference: str | None) -> NDArray[np.intp] | None:
    """Cases whose candidates disagree under the reference system, or None when not known."""
    if reference is None:
        return None
    read = [scores.candidate_probabilities for scores in table.of(reference)]
    known = [rows for rows in read if rows is not None]
    if len(known) < len(read):
        return None
    return np.flatnonzero(consistency.is_inconsistent(known))


def _mean(values: NDArray[np.generic]) -> float | None:
    """Mean, or None of nothing."""
    return float(np.mean(values.astype(np.float64))) if values.size else None


def _known(value: float) -> float | None:
    """None for what the cases do not define."""
    return None if math.isnan(value) else value


def _known_range(interval: Interval) -> Range | None:
    """None for what the cases do not define."""
    return None if math.isnan(interval.low) else (interval.low, interval.high)
