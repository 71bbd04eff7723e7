"""From finished runs to figures, and from figures to docs/results/align.md and its picture."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from jomed_app.evaluation.report.pages.markdown import fill, number, table, with_range
from jomed_app.evaluation.report.pages.pictures import new_figure, save

COLUMNS = ("recall@1", "recall@5", "recall@10", "probe", "knn")  # their mean is the summary
SHOWN = (*COLUMNS, "slake")
MAIN = ("infonce", "siglip", "graph", "graph_infonce")  # siglip: of the kept report alone
BASELINE = "infonce"
LOSSES = ("infonce", "siglip", "graph", "graph+infonce")
RESAMPLES = 2000
NONE = Markup("")

Key = tuple[str, float]


@dataclass(frozen=True, slots=True)
class Run:
    """One trained row: hits case by case, and what it cost."""

    row: str
    fraction: float
    seed: int
    steps: int
    seconds: float
    triples: int
    hits: Mapping[str, NDArray[np.float64]]


def summarize_folder(folder: Path) -> dict[str, Any]:
    """Read all finished runs in a folder, and what a step of each loss costs where it was timed.

    Raises:
        FileNotFoundError: if the folder holds no run.
    """
    runs = [_read(path) for path in sorted(folder.glob("*-*-*.json"))]
    if not runs:
        raise FileNotFoundError(f"a report requires runs, found none in '{folder.name}'")
    timing = folder / "timing.json"
    cost = json.loads(timing.read_text(encoding="utf-8")) if timing.is_file() else {}
    return summarize(runs) | {"cost": cost}


def summarize(runs: Sequence[Run]) -> dict[str, Any]:
    """Means over cases and seeds, and differences to InfoNCE at the same share and seeds."""
    groups: dict[Key, list[Run]] = {}
    for run in runs:
        groups.setdefault((run.row, run.fraction), []).append(run)
    rows = []
    for (row, fraction), members in sorted(groups.items()):
        members = sorted(members, key=lambda run: run.seed)
        values: dict[str, Any] = {
            "row": row,
            "fraction": fraction,
            "seeds": [run.seed for run in members],
            "triples": members[0].triples,
            "steps": members[0].steps,
            "seconds": round(float(np.mean([run.seconds for run in members])), 1),
        }
        for name in SHOWN:
            each = [float(run.hits[name].mean()) for run in members]
            values[name] = float(np.mean(each))
            values[f"{name}_sd"] = float(np.std(each, ddof=1)) if len(each) > 1 else None
        values["mean"] = float(np.mean([values[name] for name in COLUMNS]))
        base = {run.seed: run for run in groups.get((BASELINE, fraction), [])}
        paired = [(run, base[run.seed]) for run in members if run.seed in base]
        if row != BASELINE and paired:
            values["difference"] = compare(paired)
        rows.append(values)
    return {"columns": list(COLUMNS), "rows": rows}


def compare(pairs: Sequence[tuple[Run, Run]], seed: int = 0) -> dict[str, Any]:
    """Paired bootstrap over cases and seeds of the difference of the columns' mean, 95 %."""
    rng = np.random.default_rng(seed)
    gaps = {
        name: np.stack([first.hits[name] - second.hits[name] for first, second in pairs])
        for name in SHOWN
    }
    drawn = {name: np.zeros(RESAMPLES) for name in SHOWN}
    for place in range(RESAMPLES):
        seeds = rng.integers(len(pairs), size=len(pairs))
        cases = {
            gap.shape[1]: rng.integers(gap.shape[1], size=gap.shape[1]) for gap in gaps.values()
        }
        for name, gap in gaps.items():
            drawn[name][place] = gap[seeds][:, cases[gap.shape[1]]].mean()
    drawn["mean"] = np.mean([drawn[name] for name in COLUMNS], axis=0)
    point = {name: float(gap.mean()) for name, gap in gaps.items()}
    point["mean"] = float(np.mean([point[name] for name in COLUMNS]))
    return {
        name: [point[name], *np.quantile(drawn[name], (0.025, 0.975)).tolist()] for name in drawn
    }


def page(values: Mapping[str, Any], measured: str) -> str:
    """Word the report."""
    rows = sorted(values["rows"], key=lambda each: (each["fraction"], _order(each["row"])))
    main = [each for each in rows if each["row"] in MAIN]
    ablations = [each for each in rows if each["row"] not in MAIN]
    fractions = {each["fraction"] for each in ablations}
    bases = [
        each
        for each in main
        if each["row"] in ("graph", BASELINE) and each["fraction"] in fractions
    ]
    return fill(
        Path(__file__).with_name("page.md.jinja"),
        measured=measured,
        main=_table(main),
        verdicts=_verdicts(rows),
        differences=_differences(main),
        ablations=_table(sorted([*bases, *ablations], key=rows.index)) if ablations else "",
        ablation_differences=_differences(ablations),
        costs=_costs(values["cost"]),
        baseline=BASELINE,
    )


def _verdicts(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Per row with a graph loss: ahead, behind, or level within the interval."""
    found = []
    for each in rows:
        if "difference" not in each or not each["row"].startswith("graph"):
            continue
        if each["row"] not in MAIN and "equal_steps" not in each["row"]:
            continue
        point, low, high = each["difference"]["mean"]
        found.append(
            {
                "share": _share(each),
                "row": each["row"],
                "word": "ahead of" if low > 0 else "behind" if high < 0 else "level with",
                "points": f"{100 * point:+.1f}",
                "low": f"{100 * low:+.1f}",
                "high": f"{100 * high:+.1f}",
            }
        )
    return found


def _table(rows: Sequence[Mapping[str, Any]]) -> Markup:
    return table(
        ["share", "row", "triples", "steps", "s", *SHOWN, "mean"],
        [
            [
                _share(each),
                each["row"],
                each["triples"],
                each["steps"],
                number(each["seconds"], 0),
                *(_cell(each[name], each[f"{name}_sd"]) for name in SHOWN),
                number(100 * each["mean"], 1),
            ]
            for each in rows
        ],
        words=(0, 1),
    )


def _differences(rows: Sequence[Mapping[str, Any]]) -> Markup:
    names = ("mean", *SHOWN)
    compared = [
        [
            _share(each),
            each["row"],
            len(each["seeds"]),
            *(_points(each["difference"][name]) for name in names),
        ]
        for each in rows
        if "difference" in each
    ]
    return table(["share", "row", "seeds", *names], compared, words=(0, 1)) if compared else NONE


def _costs(cost: Mapping[str, Any]) -> Markup:
    if not cost:
        return NONE
    batches = sorted(cost, key=lambda name: (name.startswith("all"), int(name.split()[1])))
    losses = sorted(cost[batches[0]], key=lambda name: LOSSES.index(name.split()[0]))
    return table(
        ["loss, solver", *(name.replace(" ", ", B = ") for name in batches)],
        [
            [
                name,
                *(
                    f"{cost[batch][name]['step_ms']:.0f} ms ({cost[batch][name]['ratio']:.2f} x)"
                    for batch in batches
                ),
            ]
            for name in losses
        ],
    )


def draw(values: Mapping[str, Any], folder: Path) -> None:
    """Draw the summary over the share of triples, one line per loss, as `align.svg`."""
    figure = new_figure(width=6.4, height=3.4)
    axes = figure.add_subplot()
    for row in MAIN:
        points = [(each["fraction"], each["mean"]) for each in values["rows"] if each["row"] == row]
        if points:
            shares, means = zip(*sorted(points), strict=True)
            axes.plot(shares, 100 * np.array(means), marker="o", label=row)
    axes.set(xscale="log", xlabel="share of the triples", ylabel="mean of five columns, %")
    axes.legend(fontsize="small")
    save(figure, folder / "align.svg")


def _share(row: Mapping[str, Any]) -> str:
    return f"{100 * row['fraction']:.0f} %"


def _points(values: Sequence[float]) -> str:
    """Percentage points with their interval."""
    point, low, high = (100 * each for each in values)
    return with_range(point, (low, high), 1, "+")


def _cell(value: float, spread: float | None) -> str:
    return f"{100 * value:.1f}" + (f" ({100 * spread:.1f})" if spread is not None else "")


def _order(row: str) -> tuple[int, str]:
    return (MAIN.index(row) if row in MAIN else len(MAIN), row)


def _read(path: Path) -> Run:
    values = json.loads(path.read_text(encoding="utf-8"))
    hits = {name: np.array(each, dtype=np.float64) for name, each in values.pop("hits").items()}
    kept = {
        name: values[name] for name in ("row", "fraction", "seed", "steps", "seconds", "triples")
    }
    return Run(**kept, hits=hits)
