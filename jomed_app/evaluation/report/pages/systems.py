"""The tables of one report: what every system scored on the same cases."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from markupsafe import Markup

from jomed_app.evaluation.report.figures import Table, figures_of
from jomed_app.evaluation.report.pages.markdown import NOTHING, number, table, with_range
from jomed_app.evaluation.report.schema import Difference, EvaluationReport, SystemReport

FOLD_INDEXES = ("other-folds", "simulated-index")  # what fold reports call the known cases
NO_TABLE = Markup("")

Column = tuple[str, Callable[[SystemReport], str]]


def has_clean_figures(report: EvaluationReport) -> bool:
    """Whether anybody looked for near duplicates of the cases among the known ones.

    `evaluate` looks; the reading of folds does not, and then `n_clean` says no more than `n`. The
    schema has no field for it, so the name of the index tells.
    """
    return report.index not in FOLD_INDEXES


def results_table(report: EvaluationReport) -> Markup:
    """Accuracy, AUROC and their like, one system a line."""
    clean = []
    if has_clean_figures(report):
        clean = [
            _figure("accuracy, clean", "accuracy_clean"),
            _figure("accuracy, twins", "accuracy_twins"),
        ]
    return _systems_table(
        report,
        [
            _ranged("accuracy", "accuracy"),
            *clean,
            _figure("accuracy, inconsistent", "inconsistent_accuracy"),
            *_declared(report, "results"),
            _figure("s per case", "seconds_per_case", 2),
        ],
    )


def recall_table(report: EvaluationReport) -> Markup:
    """The share of right answers label by label; empty for reports that hold none."""

    def of(label: str) -> Column:
        return label, lambda system: number(system.recall.get(label))

    return _systems_table(report, list(map(of, report.labels)), only=lambda s: bool(s.recall))


def operating_table(report: EvaluationReport) -> Markup:
    """Specificity at fixed sensitivities; empty for reports that hold none."""
    return _systems_table(
        report,
        _declared(report, "operating"),
        only=lambda s: s.specificity_at_90 is not None,
    )


def probabilities_table(report: EvaluationReport) -> Markup:
    """How honest the stated probabilities are; AURC in reports of schema 2."""
    return _systems_table(report, _declared(report, "probabilities"))


def consistency_table(report: EvaluationReport) -> Markup:
    """Figures of the systems that read candidates; empty when none does."""
    return _systems_table(
        report,
        _declared(report, "consistency"),
        only=lambda s: s.oracle_accuracy is not None or s.label_agreement_at_k is not None,
    )


def localization_table(report: EvaluationReport) -> Markup:
    """Figures of the systems that give boxes; empty when none does."""
    return _systems_table(
        report,
        _declared(report, "localization"),
        only=lambda s: s.parse_rate is not None,
    )


def differences_table(report: EvaluationReport) -> Markup:
    """Paired differences with intervals and McNemar's test; empty without any."""
    shown = [
        each for each in report.differences if each.subset != "clean" or has_clean_figures(report)
    ]
    if not shown:
        return NO_TABLE
    header = ["first − second", "metric", "cases", "n", "difference"]
    header += ["only first / second right", "McNemar p"]
    return table(header, map(_difference_row, shown), words=(0, 1, 2))


def states_table(report: EvaluationReport) -> Markup:
    """The error rate within each warning state per system; empty without states."""
    rows = [
        [name, state, rate.num_cases, with_range(rate.rate, rate.interval)]
        for name, system in report.systems.items()
        for state, rate in system.error_rates.items()
    ]
    header = ["system", "state", "cases", "error rate (Wilson 95 %)"]
    return table(header, rows, words=(0, 1)) if rows else NO_TABLE


def _declared(report: EvaluationReport, table: Table) -> list[Column]:
    """A column of every figure that the schema puts into a table, with its interval if it has one.

    Args:
        report: names the positive label.
        table: of the page.
    """
    return [
        (_ranged if f"{name}_ci" in SystemReport.model_fields else _figure)(
            each.title.format(positive=report.positive_label), name, each.digits
        )
        for name, each in figures_of(SystemReport, table).items()
    ]


def _figure(title: str, field: str, digits: int = 3) -> Column:
    """A column of one field of `SystemReport`."""
    return title, lambda system: number(getattr(system, field), digits)


def _ranged(title: str, field: str, digits: int = 3) -> Column:
    """The same with its interval."""
    return title, lambda system: with_range(
        getattr(system, field), getattr(system, f"{field}_ci"), digits
    )


def _systems_table(
    report: EvaluationReport,
    columns: Sequence[Column],
    only: Callable[[SystemReport], bool] = lambda _: True,
) -> Markup:
    """One line per system, without columns that no system fills."""
    systems = {name: system for name, system in report.systems.items() if only(system)}
    filled = [
        (title, cell)
        for title, cell in columns
        if any(cell(system) != NOTHING for system in systems.values())
    ]
    rows = [[name, *(cell(system) for _, cell in filled)] for name, system in systems.items()]
    return table(["system", *(title for title, _ in filled)], rows) if rows else NO_TABLE


def _difference_row(found: Difference) -> list[object]:
    """Cells of one difference."""
    alone = NOTHING if found.first_only is None else f"{found.first_only} / {found.second_only}"
    p_value = NOTHING if found.mcnemar_p is None else f"{found.mcnemar_p:.3g}"
    return [
        f"{found.first} − {found.second}",
        found.metric,
        found.subset,
        found.n,
        with_range(found.difference, found.ci, sign="+"),
        alone,
        p_value,
    ]
