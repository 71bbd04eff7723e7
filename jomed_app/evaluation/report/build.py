"""Scores of cases to a report: every system on the same cases, the same resamples.

Letters in docstrings: N cases, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jomed_app.evaluation.metrics import consistency
from jomed_app.evaluation.metrics.coverage import coverage_curve
from jomed_app.evaluation.report.bootstrap import Bootstrap, known, known_range, mean_of
from jomed_app.evaluation.report.boxes import box_figures
from jomed_app.evaluation.report.figures import measured
from jomed_app.evaluation.report.retrieval import (
    pass_figures,
    retrieval_effects,
    retrieval_figures,
    selective_risk,
)
from jomed_app.evaluation.report.schema import (
    Difference,
    EvaluationReport,
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
    bootstrap = Bootstrap(table, seed, num_resamples)
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
        effects=retrieval_effects(bootstrap),
        differences=tuple(
            difference
            for pair in comparisons
            for difference in _differences(bootstrap, pair, clean, subset)
        ),
    )


def _system_report(
    bootstrap: Bootstrap,
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
    figures |= retrieval_figures(scores, labels) | box_figures(scores, table.cases)
    seconds = [score.seconds for score in scores if score.seconds is not None]
    stated = [(s.state, right) for s, right in zip(scores, correct, strict=True) if s.state]
    return SystemReport(
        accuracy=accuracy.value,
        accuracy_ci=(accuracy.low, accuracy.high),
        accuracy_clean=mean_of(correct[clean]),
        accuracy_twins=mean_of(np.delete(correct, clean)),
        recall={label_names[k]: float(correct[labels == k].mean()) for k in np.unique(labels)},
        auroc=known(auroc.value),
        auroc_ci=known_range(auroc),
        inconsistent_accuracy=None if subset is None else mean_of(correct[subset]),
        **figures,
        seconds_per_case=mean_of(np.array(seconds)),
        error_rates=error_rate_by_state([s for s, _ in stated], [right for _, right in stated]),
        reliability=fit_reliability(rows, labels, RELIABILITY_BINS),
        coverage=coverage_curve(rows, labels),
        pass_at=pass_figures(scores, labels),
        selective=selective_risk(bootstrap, name),
    )


def _differences(
    bootstrap: Bootstrap,
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
