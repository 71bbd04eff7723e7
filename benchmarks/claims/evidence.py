"""The lines of the index as the app's own page shows them, per-class figures and effects beside."""

from __future__ import annotations

import math
from fractions import Fraction

from benchmarks.claims.commands import command_of
from benchmarks.claims.index import CLAIMS, notes_of
from benchmarks.claims.rows import Row
from benchmarks.kept import KeptReports
from jomed_app.evaluation.report.evidence import Claim, ClassFigure, Effect, Evidence, Line
from jomed_app.evaluation.report.schema import EvaluationReport, read_report
from jomed_app.inference.calibration.reliability import wilson_interval

# Kept report -> which known cases stood beside, in words.
BESIDE = {
    "breast.report": "real cases of the same collection",
    "breast.report.index": "the simulated collection",
}
SYSTEMS = ("joint", "rag", "reader", "image_alone")
PAIRS = (("joint", "no_retrieval"), ("rag", "no_retrieval"), ("reader", "no_retrieval"))
MOST_CASES = 10_000  # denominators of shares are looked for up to here


def evidence_of(kept: KeptReports) -> Evidence:
    """Return what the app's page may say.

    Args:
        kept: the reports that all figures come from.
    """
    reports = {name: read_report(kept.path(name)) for name in BESIDE if kept.path(name).is_file()}
    first = next(iter(reports), "")
    return Evidence(
        notes=tuple(f"{bundle}: {note}" for bundle, note in notes_of(kept)),
        command=command_of(first) if first else "",
        measured_with=kept.measured(first).sentence if first else "",
        classes=tuple(
            figure
            for name, report in reports.items()
            for figure in class_figures(report, BESIDE[name])
        ),
        effects=tuple(
            effect
            for name, report in reports.items()
            for effect in effects_of(report, BESIDE[name])
        ),
        claims=tuple(
            Claim(
                title=claim.title,
                text=claim.text,
                lines=tuple(_line(kept, row) for row in rows),
            )
            for claim in CLAIMS
            if (rows := claim.make(kept))
        ),
    )


def cases_per_label(report: EvaluationReport) -> dict[str, int] | None:
    """Return how many cases each label has, from the shares that a report keeps.

    A share right / cases, in lowest terms, has a denominator that divides the cases. Over all
    systems the least common multiple still does; where those of all labels add up to the cases of
    the report, each is the number itself. None where they do not.
    """
    found = {}
    for label in report.labels:
        shares = [each.recall[label] for each in report.systems.values() if label in each.recall]
        found[label] = math.lcm(
            *(Fraction(share).limit_denominator(MOST_CASES).denominator for share in shares)
        )
    return found if sum(found.values()) == report.n else None


def class_figures(report: EvaluationReport, beside: str) -> list[ClassFigure]:
    """Return how often each label's cases are answered rightly; nothing without their counts."""
    cases = cases_per_label(report)
    if cases is None:
        return []
    figures = []
    for system in SYSTEMS:
        if system not in report.systems:
            continue
        for label, share in report.systems[system].recall.items():
            right = round(share * cases[label])
            figures.append(
                ClassFigure(
                    system=system,
                    beside=beside,
                    label=label,
                    right=right,
                    cases=cases[label],
                    interval=wilson_interval(right, cases[label]),
                )
            )
    return figures


def effects_of(report: EvaluationReport, beside: str) -> list[Effect]:
    """Return what known cases change, from the cases that one system alone gets right."""
    effects = []
    for first, second in PAIRS:
        for found in report.differences:
            if (found.first, found.second, found.metric, found.subset) != (
                first, second, "accuracy", "all",
            ):  # fmt: skip
                continue
            if found.first_only is None or found.second_only is None:
                continue
            effects.append(
                Effect(
                    system=first,
                    without=second,
                    beside=beside,
                    cases=found.n,
                    helped=found.first_only,
                    helped_interval=wilson_interval(found.first_only, found.n),
                    harmed=found.second_only,
                    harmed_interval=wilson_interval(found.second_only, found.n),
                )
            )
    return effects


def _line(kept: KeptReports, row: Row) -> Line:
    return Line(
        what=row.what,
        figure=row.figure,
        interval=row.interval,
        count=row.count,
        baseline=row.baseline,
        reference=row.reference,
        difference=row.difference,
        says=row.says,
        measured_with=kept.measured(row.part).bundle or "no bundle",
        command=command_of(row.report),
    )
