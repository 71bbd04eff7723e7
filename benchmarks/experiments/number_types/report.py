"""The page of what number types change in answers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.experiments.number_types.compare import MOVED_IOU
from jomed_app.evaluation.report.pages.markdown import fill, number, table

SHOWN = ("images", "seed", "index", "torch", "processor", "rule")
HEADER = (
    "run",
    "against",
    "images answered by both",
    "largest difference",
    "mean",
    "diagnoses changed",
    "states changed",
    "candidate sets changed",
    "boxes moved",
    "farthest edge, px",
)


def page(values: Mapping[str, Any], measured: str) -> str:
    """Word what `run.main` measured."""
    rows = [
        [
            each["way"],
            each["against"],
            each["images"],
            _figure(each["largest"]),
            _figure(each["mean"]),
            each["diagnoses"],
            each["states"],
            each["candidates"],
            each["boxes"],
            number(each["farthest_px"], 1),
        ]
        for each in values["differences"]
    ]
    return fill(
        Path(__file__).with_name("page.md.jinja"),
        measured=measured,
        figures=table(HEADER, rows, words=(0, 1)),
        abstained="; ".join(f"{way}: {count}" for way, count in values["abstained"].items()),
        product=" x ".join(map(str, values["product"])),
        speeds=" and ".join(
            f"{number(speed, 0)} in {name}" for name, speed in values["giga_flops"].items()
        ),
        moved=MOVED_IOU,
        **{name: values[name] for name in SHOWN},
    )


def _figure(value: float) -> str:
    """A probability's difference with two digits that count."""
    return f"{value:.2g}" if value else "0"
