"""The page of rerankers: other ways to use the candidates that were read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jomed_app.evaluation.report.pages import systems
from jomed_app.evaluation.report.pages.markdown import fill, number
from jomed_app.evaluation.report.schema import EvaluationReport

TASK_SUFFIX = "-oracle-gap"  # of a report's task


def page(by_task: Mapping[str, EvaluationReport], measured: Mapping[str, str]) -> str:
    """Word the reports of `run.main`.

    Args:
        by_task: a report per task.
        measured: the same tasks -> a sentence on what was measured.
    """
    return fill(
        Path(__file__).with_name("page.md.jinja"),
        parts=[_part(task, report, measured[task]) for task, report in by_task.items()],
    )


def _part(task: str, report: EvaluationReport, measured: str) -> dict[str, Any]:
    """What the template says of one task."""
    reference = str(report.reference_system)
    even = report.systems[reference]
    differences = [each for each in report.differences if each.metric == "accuracy"]
    shown = report.model_copy(update={"differences": tuple(differences)})
    return {
        "task": task,
        "report": report,
        "measured": measured,
        "reference": reference,
        "accuracy": number(even.accuracy),
        "oracle": number(even.oracle_accuracy),
        "guesses": number(even.chance_oracle),
        "ahead": sorted(
            {
                each.first
                for each in differences
                if each.ci and each.ci[0] > 0 and each.subset == "all"
            }
        ),
        "results": systems.results_table(report),
        "probabilities": systems.probabilities_table(report),
        "differences": systems.differences_table(shown),
    }
