"""From the kept jobs of `benchmarks.reading_ways` to docs/results/reading.md and its JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jomed_app.evaluation.intervals import bootstrap_interval

SYSTEMS = ("rag", "no_retrieval", "random_candidates", "adversarial_candidates")
BESIDES = ("inconsistent", "oracle", "agreement")
BASELINE = "plain"
RESAMPLES = 2000
ORDER = ("plain", "comparison", "hidden", "misleading", "renamed", "all")

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
        rows = np.flatnonzero(keep)
        return Pooled(
            {name: each[rows] for name, each in self.values.items()},
            [self.groups[row] for row in rows],
            [self.keys[row] for row in rows],
        )


def write_report(folder: Path, out: Path) -> Path:
    """Read all jobs in a folder and write the page; return it.

    Raises:
        FileNotFoundError: if the folder holds no job.
    """
    runs = [_read(path) for path in sorted(folder.glob("*.json"))]
    if not runs:
        raise FileNotFoundError(f"a report requires finished jobs, found none in '{folder.name}'")
    values = summarize(runs)
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(values, indent=1, sort_keys=True) + "\n"
    (out / "reading.json").write_text(text, encoding="utf-8")
    page = out / "reading.md"
    page.write_text(markdown(values), encoding="utf-8")
    return page


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


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """Word the report."""
    steps = sorted({each for row in rows for each in row["steps"]})
    parts = [
        "# Which tuning makes a reader read its candidates",
        "",
        "Generated by `python -m benchmarks.reading_ways RUN`; do not edit. Research demo, not a "
        "medical device. Every row is a reader tuned for "
        f"{' or '.join(map(str, steps))} steps by a file in `jomed_app/configs/reader`, then "
        "frozen and asked about held-out cases that no row was tuned on. It answers alone: four "
        "candidates that count alike, no vote, no second opinion on the image. `rag`: candidates "
        "of the frozen retriever. `random`: drawn from all known cases. `adversarial`: the nearest "
        "of another class. `no_retrieval`: none. `inconsistent`: share of cases whose candidates "
        "lead to different answers. `oracle`: any candidate leads to the right one. `variance`: of "
        "the true answer's log-likelihood over candidates, nats². `agreement`: share of retrieved "
        "candidates with the case's own class. All but variance in percent; 95 % intervals over "
        "resampled groups of cases, differences on the same cases.",
        "",
        "A reader that ignores its candidates has no gap between `rag` and the rest and no "
        "variance. All rows start from one reader tuned on simulated breast cases, whose own "
        "tuning mixed the ways; the rows differ in what follows.",
    ]
    for task in dict.fromkeys(row["task"] for row in rows):
        own = [row for row in rows if row["task"] == task]
        parts += ["", f"## Task `{task}`"]
        for fraction in sorted({row["fraction"] for row in own}, reverse=True):
            shown = [row for row in own if row["fraction"] == fraction and not row["held_out"]]
            if shown:
                parts += ["", *_section(shown, fraction)]
        for held_out in sorted({row["held_out"] for row in own} - {""}):
            parts += ["", *_new_class([row for row in own if row["held_out"] == held_out])]
    return "\n".join([*parts, ""])


def _section(rows: Sequence[Mapping[str, Any]], fraction: float) -> list[str]:
    first = rows[0]
    lines = [
        f"### {100 * fraction:.0f} % of the training cases",
        "",
        f"{first['known']} known cases, {first['cases']} held-out cases, "
        f"seeds of tuning: {len(first['seeds'])}.",
        "",
        "| way | rag | no_retrieval | random | adversarial | inconsistent | oracle | agreement "
        "| variance | minutes |",
        "|---|" + "---:|" * 9,
    ]
    for row in rows:
        cells = [_percent(row[name]) for name in SYSTEMS]
        cells += [f"{100 * row[name][0]:.1f}" for name in BESIDES]
        lines.append(
            f"| {row['way']} | {' | '.join(cells)} | {row['variance'][0]:.3f} | {row['minutes']} |"
        )
    lines += [
        "",
        "Points by which `rag` is ahead, and `rag` against that of the plain way:",
        "",
        "| way | of no_retrieval | of random | of adversarial | against plain |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        gaps = [_points(row["gaps"][name]) for name in SYSTEMS[1:]]
        plain = _points(row.get("against_plain", {}).get("rag"))
        lines.append(f"| {row['way']} | {' | '.join(gaps)} | {plain} |")
    return [*lines, "", *(_verdict(row) for row in rows)]


def _verdict(row: Mapping[str, Any]) -> str:
    """One sentence: whether this reader's answer depends on what stands beside the case."""
    _, low, high = row["gaps"]["random_candidates"]
    word = "better beside" if low > 0 else "worse beside" if high < 0 else "no better beside"
    misled = "is" if row["gaps"]["adversarial_candidates"][1] > 0 else "is not shown to be"
    return (
        f"- `{row['way']}` answers {word} retrieved candidates than beside random ones, and "
        f"{misled} misled by candidates of another class."
    )


def _new_class(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    first = rows[0]
    lines = [
        f"### A class that only the index knows: {first['held_out']}",
        "",
        "Tuned without it, as query, as candidate and among simulated cases; its cases are in the "
        f"index that is read from. {first['class']['cases']} held-out cases of it, "
        f"{first['others']['cases']} of other classes; {100 * first['fraction']:.0f} % of the "
        f"training cases, seeds of tuning: {len(first['seeds'])}."
        + (" The common start had seen simulated cases of it." * first["is_simulated"]),
        "",
        "`voted`: as `rag`, but what the class gets is its share among the nearest known cases, as "
        "the app does for labels that only the index knows; the other classes share the rest.",
        "",
        "| way | rag, the class | no_retrieval, the class | gap | against plain | rag, the others "
        "| no_retrieval, the others | voted, the class | voted, the others | agreement |",
        "|---|---:|---:|---|---|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        own, others = row["class"], row["others"]
        lines.append(
            f"| {row['way']} | {_percent(own['rag'])} | {_percent(own['no_retrieval'])} "
            f"| {_points(own['gap'])} | {_points(row.get('against_plain', {}).get('class'))} "
            f"| {_percent(others['rag'])} | {_percent(others['no_retrieval'])} "
            f"| {_percent(own['voted'])} | {_percent(others['voted'])} "
            f"| {100 * row['agreement'][0]:.1f} |"
        )
    return lines


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


def _percent(values: Sequence[float] | None) -> str:
    return "-" if values is None else "{:.1f} [{:.0f}, {:.0f}]".format(*_hundred(values))


def _points(values: Sequence[float] | None) -> str:
    return "-" if values is None else "{:+.1f} [{:+.1f}, {:+.1f}]".format(*_hundred(values))


def _hundred(values: Sequence[float]) -> list[float]:
    return [100 * each for each in values]


def _way_order(way: str) -> tuple[int, str]:
    return (ORDER.index(way) if way in ORDER else len(ORDER), way)


def _read(path: Path) -> Run:
    values = json.loads(path.read_text(encoding="utf-8"))
    return Run(**{name: values[name] for name in Run.__dataclass_fields__})
