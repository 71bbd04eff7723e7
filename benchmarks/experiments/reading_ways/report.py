"""From the figures of the kept jobs to docs/results/reading.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from benchmarks.experiments.reading_ways.figures import BESIDES, SYSTEMS
from jomed_app.evaluation.report.pages.markdown import NOTHING, fill, number, table, with_range

Row = Mapping[str, Any]


def page(rows: Sequence[Row], measured: str) -> str:
    """Word what `figures.summarize` returned."""
    return fill(
        Path(__file__).with_name("page.md.jinja"),
        measured=measured,
        steps=" or ".join(map(str, sorted({each for row in rows for each in row["steps"]}))),
        tasks=[
            _task(name, [row for row in rows if row["task"] == name])
            for name in dict.fromkeys(row["task"] for row in rows)
        ],
    )


def _task(name: str, rows: Sequence[Row]) -> dict[str, Any]:
    """What the template says of one task."""
    known = [row for row in rows if not row["held_out"]]
    shares = sorted({row["fraction"] for row in known}, reverse=True)
    classes = sorted({row["held_out"] for row in rows} - {""})
    return {
        "name": name,
        "shares": [_share([row for row in known if row["fraction"] == each]) for each in shares],
        "classes": [
            _new_class([row for row in rows if row["held_out"] == each]) for each in classes
        ],
    }


def _share(rows: Sequence[Row]) -> dict[str, Any]:
    """All ways at one share of the training cases."""
    header = ["way", "rag", "no_retrieval", "random", "adversarial", *BESIDES]
    figures = [
        [
            row["way"],
            *(_percent(row[name]) for name in SYSTEMS),
            *(number(100 * row[name][0], 1) for name in BESIDES),
            number(row["variance"][0]),
            row["minutes"],
        ]
        for row in rows
    ]
    gaps = [
        [
            row["way"],
            *(_points(row["gaps"][name]) for name in SYSTEMS[1:]),
            _points(row.get("against_plain", {}).get("rag")),
        ]
        for row in rows
    ]
    return {
        "percent": number(100 * rows[0]["fraction"], 0),
        "first": rows[0],
        "figures": table([*header, "variance", "minutes"], figures),
        "gaps": table(
            ["way", "of no_retrieval", "of random", "of adversarial", "against plain"], gaps
        ),
        "verdicts": [_verdict(row) for row in rows],
    }


def _verdict(row: Row) -> dict[str, str]:
    """Whether this reader's answer depends on what stands beside the case."""
    _, low, high = row["gaps"]["random_candidates"]
    return {
        "way": row["way"],
        "word": "better beside" if low > 0 else "worse beside" if high < 0 else "no better beside",
        "misled": ("is" if row["gaps"]["adversarial_candidates"][1] > 0 else "is not shown to be"),
    }


def _new_class(rows: Sequence[Row]) -> dict[str, Any]:
    """A class that only the index knows."""
    return {
        "percent": number(100 * rows[0]["fraction"], 0),
        "first": rows[0],
        "figures": _new_class_table(rows),
    }


def _new_class_table(rows: Sequence[Row]) -> Markup:
    header = ["way", "rag, the class", "no_retrieval, the class", "gap", "against plain"]
    header += ["rag, the others", "no_retrieval, the others"]
    header += ["voted, the class", "voted, the others", "agreement"]
    return table(
        header,
        [
            [
                row["way"],
                _percent(row["class"]["rag"]),
                _percent(row["class"]["no_retrieval"]),
                _points(row["class"]["gap"]),
                _points(row.get("against_plain", {}).get("class")),
                _percent(row["others"]["rag"]),
                _percent(row["others"]["no_retrieval"]),
                _percent(row["class"]["voted"]),
                _percent(row["others"]["voted"]),
                number(100 * row["agreement"][0], 1),
            ]
            for row in rows
        ],
    )


def _percent(values: Sequence[float] | None) -> str:
    return NOTHING if values is None else "{:.1f} [{:.0f}, {:.0f}]".format(*_hundred(values))


def _points(values: Sequence[float] | None) -> str:
    if values is None:
        return NOTHING
    point, low, high = _hundred(values)
    return with_range(point, (low, high), 1, "+")


def _hundred(values: Sequence[float]) -> list[float]:
    return [100 * each for each in values]
