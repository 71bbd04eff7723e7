"""The page of one answer's time and memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jomed_app.evaluation.report.pages.markdown import fill, number, table

GOALS = {"ratio": 8.0, "cold_start_s": 8.0, "peak_memory_gb": 1.2}
STEPS = {
    "candidates": "first candidates on screen",
    "final": "final diagnosis",
    "completed": "box and findings too",
}
NEW_TOKENS = 8  # of each `generate` in the plain loop, at most


def page(result: Mapping[str, Any], measured: str) -> str:
    """Word what `answer.main` measured."""
    ours, plain = result["ours_ms"], result["plain_loop_ms"]
    steps = [(title, ours[name]) for name, title in STEPS.items()]
    steps.append((f"plain loop: {result['k']} x `generate`, fp32", plain))
    figures = [
        ("plain loop / ours, end to end", "ratio", 1, "x"),
        ("fresh process to first answer", "cold_start_s", 1, "s"),
        ("peak memory, index warm", "peak_memory_gb", 2, "GB"),
    ]
    return fill(
        Path(__file__).with_name("answer.md.jinja"),
        result=result,
        measured=measured,
        new_tokens=NEW_TOKENS,
        steps=table(
            ["step", "median, ms", "95th percentile, ms"],
            [[title, number(each["median"], 0), number(each["p95"], 0)] for title, each in steps],
        ),
        figures=table(
            ["figure", "measured", "goal"],
            [
                [title, f"{result[name]:.{digits}f} {unit}", f"{GOALS[name]:g} {unit}"]
                for title, name, digits, unit in figures
            ],
        ),
    )
