"""From finished jobs to figures, and from figures to docs/results/rewards.md."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jomed_app.evaluation.metrics.intervals import Interval, paired_bootstrap
from jomed_app.evaluation.report.pages.markdown import fill, number, table, with_range

FIGURES = {
    "mean_iou": "mean IoU",
    "iou50": "IoU ≥ 0.5",
    "accuracy": "accuracy of the class query",
    "nll": "its NLL, nats",
}
LEAST_PROB = 1e-4  # of the true class, where its logarithm is taken
Rows = Sequence[Mapping[str, Any]]


def read_jobs(out: Path) -> dict[str, list[Rows]]:
    """Option -> what its seeds saw of all held-out images, in the same order; whole seeds only."""
    parts: dict[tuple[str, int], dict[int, Rows]] = {}
    for path in sorted(out.glob("*.json")):
        name, seed, fold = path.stem.rsplit("-", 2)
        parts.setdefault((name, int(seed)), {})[int(fold)] = json.loads(path.read_text())
    folds = max(map(len, parts.values()), default=0)
    found: dict[str, list[Rows]] = {}
    for (name, _), each in sorted(parts.items()):
        if len(each) == folds:
            rows = [row for fold in sorted(each) for row in each[fold]]
            found.setdefault(name, []).append(rows)
    return found


def figure(name: str, seeds: Sequence[Rows], index: NDArray[np.intp]) -> float:
    """One figure of the images at these positions, mean over seeds."""
    values = []
    for rows in seeds:
        if name == "accuracy":
            values.append(np.mean([rows[i]["right"] for i in index]))
            continue
        if name == "nll":
            said = np.array([rows[i]["label_prob"] for i in index])
            values.append(-np.log(said.clip(LEAST_PROB)).mean())
            continue
        ious = np.array([iou for i in index for iou in rows[i]["ious"]])
        if not ious.size:
            return float("nan")
        values.append(ious.mean() if name == "mean_iou" else (ious >= 0.5).mean())
    return float(np.mean(values))


def compare(seeds: Sequence[Rows], start: Sequence[Rows]) -> dict[str, Interval]:
    """Every figure less that of stage 1, paired bootstrap over groups of images."""
    groups = [row["group"] for row in start[0]]
    return {
        name: paired_bootstrap(
            partial(figure, name, seeds),
            partial(figure, name, start),
            groups,
            np.random.default_rng(0),
        )
        for name in FIGURES
    }


def summarize(out: Path, start: str) -> dict[str, Any]:
    """Every option's figures of the finished jobs, and its differences to the start.

    Args:
        out: folder of the jobs.
        start: name of what all options start from.
    """
    jobs = read_jobs(out)
    first = jobs[start]
    everything = np.arange(len(first[0]))
    options: dict[str, Any] = {}
    for name in (start, *(each for each in jobs if each != start)):
        options[name] = {
            "seeds": len(jobs[name]),
            **{each: figure(each, jobs[name], everything) for each in FIGURES},
        }
        if name != start:
            found = compare(jobs[name], first)
            options[name]["differences"] = {each: asdict(found[each]) for each in FIGURES}
    return {"images": len(everything), "start": start, "options": options}


def page(values: Mapping[str, Any], measured: str) -> str:
    """Word what `summarize` returned."""
    rows = [
        [name, option["seeds"], *(_cell(option, each) for each in FIGURES)]
        for name, option in values["options"].items()
    ]
    return fill(
        Path(__file__).with_name("page.md.jinja"),
        measured=measured,
        images=values["images"],
        start=values["start"],
        figures=table(["option", "seeds", *FIGURES.values()], rows),
    )


def _cell(option: Mapping[str, Any], name: str) -> str:
    """A figure and its difference to the start."""
    text = number(option[name])
    if "differences" not in option:
        return text
    found = option["differences"][name]
    return f"{text}, {with_range(found['value'], (found['low'], found['high']), sign='+')}"
