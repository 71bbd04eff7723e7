"""The page of what training runs cost."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from jomed_app.evaluation.report.pages.markdown import fill, table
from jomed_app.training.run.costs import COLUMNS, RunCosts, cost_rows


def costs_page(runs: Mapping[str, RunCosts], *, measured: Mapping[str, str]) -> str:
    """Return the page of what runs cost.

    Args:
        runs: by name of the run.
        measured: name of a run -> a sentence on what it became; a run may be left out.
    """
    return fill(
        Path(__file__).with_suffix(".md.jinja"),
        parts=[
            (name, measured.get(name, ""), costs.cores, table(COLUMNS, cost_rows(costs)))
            for name, costs in runs.items()
        ],
    )
