"""Figures of the kept jobs: means, intervals, paired differences."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jomed_app.evaluation.metrics.intervals import bootstrap_interval

SYSTEMS = ("rag", "no_retrieval", "random_candidates", "adversarial_candidates")
BESIDES = ("inconsistent", "oracle", "agreement")
BASELINE = "plain"
RESAMPLES = 2000
ORDER = ("plain", "comparison", "hidden", "misleading", "renamed", "all")  # the kept report's

Setting = tuple[str, float, str]


@dataclass(frozen=True, slots=True)
class Run:
    """One tuned reader and what it said of the held-out cases, one dictionary each."""

    task: str
    way: str
    fraction: float
    held_out: str
    seed: int
    steps: int
    seconds: float
    queries: int
    known: int
    is_simulated: bool
    cases: Sequence[Mapping[str, Any]]

    @property
    def setting(self) -> Setting:
        """What runs must share to stand in one table."""
        return self.task, self.fraction, self.held_out


@dataclass(frozen=True, slots=True)
class Pooled:
    """The cases of one way, all seeds together: a value each by name, and their groups."""

    values: Mapping[str, NDArray[np.float64]]
    groups: Sequence[str]
    keys: Sequence[tuple[int, str]]

    def subset(self, keep: NDArray[np.bool_]) -> Pooled:
        """Part of the cases."""
        rows = [int(row) for row in np.flatnonzero(keep)]
        return Pooled(
            {name: each[rows] for name, each in self.values.items()},
            [self.groups[row] for row in rows],
            [self.keys[row] for row in rows],
        )


def summarize_folder(folder: Path) -> list[dict[str, Any]]:
    """Read all finished jobs in a folder.

    Raises:
        FileNotFoundError: if the folder holds no job.
    """
    runs = [read_run(path) for path in sorted(folder.glob("*.json"))]
    if not runs:
        raise FileNotFoundError(f"a report requires finished jobs, found none in '{folder.name}'")
    return summarize(runs)


def summarize(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """One row per setting and way: figures with intervals, and differences to the plain way."""
    found: dict[Setting, dict[str, list[Run]]] = {}
    for run in runs:
        found.setdefault(run.setting, {}).setdefault(run.way, []).append(run)
    rows = []
    for (task, fraction, held_out), ways in sorted(found.items(), key=lambda each: each[0]):
        pooled = {way: pool(members) for way, members in ways.items()}
        for way in sorted(ways, key=_way_order):
            members = ways[way]
            row: dict[str, Any] = {
                "task": task,
                "way": way,
                "fraction": fraction,
                "held_out": held_out,
                "seeds": sorted(run.seed for run in members),
                "steps": sorted({run.steps for run in members}),
                "minutes": round(float(np.mean([run.seconds for run in members])) / 60, 1),
                "queries": round(float(np.mean([run.queries for run in members]))),
                "known": round(float(np.mean([run.known for run in members]))),
                "is_simulated": members[0].is_simulated,
                "cases": len({case["case"] for run in members for case in run.cases}),
                **figures(pooled[way], held_out),
            }
            if way != BASELINE and BASELINE in pooled:
                row["against_plain"] = against(pooled[way], pooled[BASELINE], held_out)
            rows.append(row)
    return rows


def pool(runs: Sequence[Run]) -> Pooled:
    """Put the cases of several seeds together."""
    each = [(run.seed, case) for run in runs for case in run.cases]
    names = (*SYSTEMS, *BESIDES, "variance")
    values = {name: np.array([case[name] for _, case in each], dtype=np.float64) for name in names}
    if all("voted" in case for _, case in each):  # kept only where a class is held out
        values["voted"] = np.array([case["voted"] for _, case in each], dtype=np.float64)
    values["label"] = np.array([case["label"] for _, case in each])
    return Pooled(
        values, [case["group"] for _, case in each], [(seed, case["case"]) for seed, case in each]
    )


def figures(cases: Pooled, held_out: str) -> dict[str, Any]:
    """Means with 95 % intervals, and how far the candidates matter, in the same units."""
    row: dict[str, Any] = {name: _mean(cases, name) for name in (*SYSTEMS, *BESIDES, "variance")}
    row["gaps"] = {name: _gap(cases, "rag", name) for name in SYSTEMS[1:]}
    if held_out:
        is_out = cases.values["label"] == held_out
        for name, part in (("class", cases.subset(is_out)), ("others", cases.subset(~is_out))):
            row[name] = {
                "cases": len(set(part.keys)),
                "rag": _mean(part, "rag"),
                "voted": _mean(part, "voted") if "voted" in part.values else None,
                "no_retrieval": _mean(part, "no_retrieval"),
                "gap": _gap(part, "rag", "no_retrieval"),
            }
    return row


def against(way: Pooled, plain: Pooled, held_out: str) -> dict[str, list[float] | None]:
    """Differences of a way to the plain one on the cases and seeds that both have."""
    place = {key: row for row, key in enumerate(plain.keys)}
    shared = [row for row, key in enumerate(way.keys) if key in place]
    twins = [place[way.keys[row]] for row in shared]
    joined = Pooled(
        {
            **{name: way.values[name][shared] for name in (*SYSTEMS, "label")},
            **{f"plain_{name}": plain.values[name][twins] for name in SYSTEMS},
        },
        [way.groups[row] for row in shared],
        [way.keys[row] for row in shared],
    )
    found = {name: _gap(joined, name, f"plain_{name}") for name in SYSTEMS}
    if held_out:
        part = joined.subset(joined.values["label"] == held_out)
        found["class"] = _gap(part, "rag", "plain_rag")
    return found


def _mean(cases: Pooled, name: str) -> list[float] | None:
    return _interval(cases.values[name], cases.groups)


def _gap(cases: Pooled, first: str, second: str) -> list[float] | None:
    return _interval(cases.values[first] - cases.values[second], cases.groups)


def _interval(values: NDArray[np.float64], groups: Sequence[str]) -> list[float] | None:
    """Mean, low, high over resampled groups; a difference within each case is paired."""
    if not len(groups):
        return None
    rng = np.random.default_rng(0)
    found = bootstrap_interval(
        lambda index: float(values[index].mean()), groups, rng, num_resamples=RESAMPLES
    )
    return [found.value, found.low, found.high]


def _way_order(way: str) -> tuple[int, str]:
    return (ORDER.index(way) if way in ORDER else len(ORDER), way)


def read_run(path: Path) -> Run:
    """Read a finished job's file."""
    values = json.loads(path.read_text(encoding="utf-8"))
    return Run(**{name: values[name] for name in Run.__dataclass_fields__})
