"""The page of two recipes on the same held-out cases."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jomed_app.evaluation.report.pages.markdown import fill, number, table, with_range


def page(values: Mapping[str, Any], measured: str) -> str:
    """Word what `run.main` compared."""
    first, second = values["runs"]
    systems = [
        [
            name,
            *map(number, row["accuracy"]),
            with_range(row["difference"], row["interval"], sign="+"),
            "{} / {}".format(*row["only_right"]),
            f"{row['p']:.2g}",
        ]
        for name, row in values["systems"].items()
    ]
    settings = [[f"`{name}`", *pair] for name, pair in values["settings"].items()]
    header = ["system", first, second, f"{second} − {first}", f"only {first} / {second} right"]
    return fill(
        Path(__file__).with_name("page.md.jinja"),
        measured=measured,
        task=values["task"],
        n=values["n"],
        settings=table(["setting", first, second], settings) if settings else "none",
        systems=table([*header, "McNemar p"], systems),
    )
