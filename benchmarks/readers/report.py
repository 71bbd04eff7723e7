"""The page of readers: time beside the plain loop, and answers in fewer bits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jomed_app.evaluation.report.pages.markdown import NOTHING, fill, number, table

GOAL = 2.0  # times as fast as the plain loop
TIMES = (
    "model",
    "weights, million",
    "precision",
    "queries",
    "tokens a row",
    "plain loop, ms",
    "ours, ms",
    "plain / ours",
    "ours, candidates encoded ahead, ms",
    "plain / ours",
)
PRECISIONS = (
    "family",
    "precision",
    "largest difference from fp32",
    "from the plain loop",
    "spread in fp32",
    "likeliest label changed, rows",
    "layers in 4 bits",
    "of them left as they are",
)


def page(values: Mapping[str, Any], measured: str) -> str:
    """Word what `run.main` measured."""
    times = [
        [
            each["model"],
            number(each["parameters_m"], 1),
            each["precision"],
            each["queries"],
            each["row_tokens"],
            number(each["plain_loop_ms"], 0),
            number(each["ours_ms"], 0),
            f"{each['ratio']:.1f} x",
            number(each["ours_held_ms"], 0),
            f"{each['ratio_held']:.1f} x",
        ]
        for each in values["times"]
    ]
    bits = [
        [
            each["family"],
            each["precision"],
            NOTHING if each["precision"] == "fp32" else number(each["from_fp32"], 3),
            f"{each['from_plain_loop']:.1g}",
            number(each["spread"], 2),
            each["labels_changed"],
            each["four_bit_layers"],
            each["not_laid_out"],
        ]
        for each in values["precisions"]
    ]
    slow = [
        f"{each['model']} in {each['precision']}"
        for each in values["times"]
        if each["ratio_held"] < GOAL
    ]
    return fill(
        Path(__file__).with_name("page.md.jinja"),
        values=values,
        measured=measured,
        goal=f"{GOAL:g}",
        slow=", ".join(slow),
        times=table(TIMES, times, words=(0, 2)),
        bits=table(PRECISIONS, bits, words=(0, 1)),
    )
