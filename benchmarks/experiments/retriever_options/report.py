"""The page of ways of teaching the query heads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jomed_app.evaluation.report.pages.markdown import fill, mean_and_spread, table

COLUMNS = {
    "accuracy": "accuracy",
    "nll": "NLL, nats",
    "auroc": "AUROC",
    "inconsistent": "inconsistent",
    "oracle": "oracle",
}


def page(values: Mapping[str, Any], measured: str) -> str:
    """Word what `run.main` measured: one value, or mean and spread over the heads' seeds."""
    names = dict.fromkeys(row["option"] for row in values["rows"])
    rows = [
        [
            name,
            *(
                mean_and_spread([row[key] for row in values["rows"] if row["option"] == name])
                for key in COLUMNS
            ),
        ]
        for name in names
    ]
    return fill(
        Path(__file__).with_name("page.md.jinja"),
        measured=measured,
        cases=values["cases"],
        pool=values["pool"],
        num_seeds=len({row["seed"] for row in values["rows"]}),
        figures=table(["option", *COLUMNS.values()], rows),
    )
