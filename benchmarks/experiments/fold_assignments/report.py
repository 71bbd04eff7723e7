"""The page of cheap systems over several assignments of the cases to folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jomed_app.evaluation.report.pages.markdown import fill, mean_and_spread, number, table


def page(by_task: Mapping[str, Sequence[Mapping[str, Any]]], measured: Mapping[str, str]) -> str:
    """Word the rows of `repeat_baselines`, each assignment a column.

    Args:
        by_task: rows per task.
        measured: the same tasks -> a sentence on what was measured.
    """
    return fill(
        Path(__file__).with_name("page.md.jinja"),
        parts=[(task, measured[task], _figures(rows)) for task, rows in by_task.items()],
    )


def _figures(rows: Sequence[Mapping[str, Any]]) -> str:
    seeds = sorted({row["seed"] for row in rows})
    cells: list[list[object]] = []
    for system in dict.fromkeys(row["system"] for row in rows):
        for key, title in (("accuracy", "accuracy"), ("auroc", "AUROC")):
            own = {row["seed"]: row[key] for row in rows if row["system"] == system}
            values = [own[seed] for seed in seeds]
            cells.append([system, title, *map(number, values), mean_and_spread(values)])
    header = ["system", "figure", *(f"folds {seed}" for seed in seeds), "mean ± sd"]
    return table(header, cells, words=(0, 1))
