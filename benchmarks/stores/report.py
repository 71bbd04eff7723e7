"""The page of the stores: recall and time by size and by how much is left out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jomed_app.evaluation.report.pages.markdown import fill, number, table

_SHARES = {"kept_1": "every case", "kept_0.5": "half of the cases", "kept_0.1": "a tenth"}


def page(result: Mapping[str, Any], measured: str) -> str:
    """Word what `run.measure` found."""
    lines = result["lines"]
    return fill(
        Path(__file__).with_name("page.md.jinja"),
        result=result,
        measured=measured,
        queries={name: lines[0][name]["queries"] for name in _SHARES},
        searches=table(
            ["rows", "may be found", "store", "recall of the 10 best", "median, ms", "99th, ms"],
            [
                [
                    f"{line['rows']:,}",
                    title,
                    line["store"],
                    number(line[name]["recall"], 3),
                    number(line[name]["p50_ms"], 2),
                    number(line[name]["p99_ms"], 2),
                ]
                for size in dict.fromkeys(line["rows"] for line in lines)
                for name, title in _SHARES.items()
                for line in lines
                if line["rows"] == size
            ],
        ),
        building=table(
            ["rows", "store", "built in, s", "rows added a second, afterwards"],
            [
                [
                    f"{line['rows']:,}",
                    line["store"],
                    number(line["build_s"], 1),
                    number(line["adds_per_s"], 0),
                ]
                for line in lines
            ],
        ),
    )
