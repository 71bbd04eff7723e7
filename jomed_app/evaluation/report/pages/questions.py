"""The page of the reports on questions with free answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from jomed_app.evaluation.report.pages.markdown import fill, number, table, with_range
from jomed_app.evaluation.report.questions import (
    REFERENCE_SYSTEM,
    VqaDifference,
    VqaReport,
    VqaSystemReport,
)


def vqa_page(reports: Sequence[VqaReport], *, measured: str = "") -> str:
    """Return one page of several reports: a table each, and the differences.

    Args:
        reports: one per task.
        measured: a sentence on what was measured; left out, the page names the readers alone.
    """
    return fill(
        Path(__file__).with_suffix(".md.jinja"),
        measured=measured,
        reference=REFERENCE_SYSTEM,
        parts=[_part(report) for report in reports],
    )


def _part(report: VqaReport) -> dict[str, Any]:
    """What the template says of one task."""
    clean = report.clean
    return {
        "report": report,
        "rate": number(report.inconsistent_rate),
        "score": number(report.inconsistent_score),
        "systems": _systems_table(report.systems),
        "differences": _differences_table(report.differences),
        "clean": clean,
        "clean_systems": _systems_table(clean.systems) if clean and clean.n else "",
        "clean_differences": _differences_table(clean.differences) if clean and clean.n else "",
    }


def _systems_table(systems: Mapping[str, VqaSystemReport]) -> Markup:
    rows = [
        [
            name,
            with_range(each.open_recall, each.open_ci),
            with_range(each.closed_accuracy, each.closed_ci),
            with_range(each.mean, each.mean_ci),
            number(each.exact),
        ]
        for name, each in systems.items()
    ]
    return table(["system", "open", "closed", "mean", "exact"], rows)


def _differences_table(differences: Sequence[VqaDifference]) -> Markup:
    rows = [
        [f"{each.first} − {each.second}", with_range(each.difference, each.ci, sign="+")]
        for each in differences
    ]
    return table(["first − second", "mean, difference"], rows) if rows else Markup("")
