"""Claims beside the diagnosis: alignment, open questions, simulated cases, speed, cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.claims.rows import Row, Source, against_goal, line
from benchmarks.experiments.align.report import BASELINE
from benchmarks.kept import KeptReports
from benchmarks.speed.report import GOALS
from jomed_app.evaluation.report.questions import VqaReport, VqaSubset, read_vqa_report
from jomed_app.training.run.costs import read_costs

GOAL_HOURS = 3.0  # ADR 0017: to make a bundle on two cores
PAIRS = (
    ("rag", "copied"),
    ("rag", "frequent"),
    ("rag", "reader"),
    ("reader", "no_retrieval"),
    ("joint", "rag"),
)
TITLES = {"slake": "SLAKE", "vqa_rad": "VQA-RAD"}


def alignment(kept: KeptReports) -> list[Row]:
    """Whether aligning graphs beats contrastive losses; mean of recall, probe and neighbors."""
    values = kept.load("align")
    rows = [] if values is None else values["rows"]
    base = {row["fraction"]: row for row in rows if row["row"] == BASELINE}
    found = []
    for row in sorted(rows, key=lambda row: -row["fraction"]):
        if row["fraction"] < 1 or "difference" not in row or row["fraction"] not in base:
            continue
        point, low, high = row["difference"]["mean"]
        count = f"{row['triples']} triples, {len(row['seeds'])} seeds"
        found.append(
            line(
                Source("align", "align.md", count),
                f"mean of five columns, %: `{row['row']}`",
                row["mean"],
                row["mean"] - point,
                f"`{BASELINE}`, same seeds",
                difference=point,
                difference_interval=(low, high),
                digits=1,
                scale=100,
            )
        )
    return found


def questions(kept: KeptReports) -> list[Row]:
    """How well open questions are answered: mean of token recall and closed accuracy."""
    rows = []
    for name in kept.names("vqa.*"):
        report = read_vqa_report(kept.path(name))
        title = TITLES.get(report.task, report.task)
        page = f"questions.md#{report.task}-{report.split}"
        source = Source(name, page, f"{report.n} questions")
        for pair in PAIRS:
            found = _pair(source, report, pair, title)
            is_shown = report.task == "slake" and pair == PAIRS[0]
            rows += [row.headline() for row in found] if is_shown else found
        rows += _without_twins(Source(name, page, ""), report, title)
    return rows


def near_duplicates(kept: KeptReports) -> list[Row]:
    """What is left of open questions without near duplicates among the known images."""
    rows = []
    for name in kept.names("vqa.*"):
        report = read_vqa_report(kept.path(name))
        if report.clean is None or not report.clean.n:
            continue
        clean, every = report.clean.systems["rag"], report.systems["rag"]
        rows.append(
            line(
                Source(
                    name,
                    f"questions.md#{report.task}-{report.split}",
                    f"{report.clean.n} of {report.n} questions",
                ),
                f"{TITLES.get(report.task, report.task)}, mean without near duplicates: `rag`",
                clean.mean,
                every.mean,
                "`rag` on all questions",
                interval=clean.mean_ci,
            )
        )
    return rows


def simulated(kept: KeptReports) -> list[Row]:
    """How like real ultrasound simulated cases are."""
    values = kept.load("simulator")
    if values is None:
        return []
    auc = values["box_auc"]
    return [
        line(
            Source("simulator", "simulator.md", f"up to {values['count']} images a set"),
            "malignant or not from the box alone, AUC: simulated",
            auc["simulated"],
            auc["real"],
            "real",
        )
    ]


def speed(kept: KeptReports) -> list[Row]:
    """How long one answer takes, and in how much memory."""
    values = kept.load("answer")
    if values is None:
        return []
    ours, plain = values["ours_ms"]["completed"], values["plain_loop_ms"]
    source = Source("answer", "answer.md", f"{values['n']} queries")
    whole = line(
        source,
        "one answer with box and findings, median",
        ours["median"],
        plain["median"],
        f"plain loop of {values['k']} `generate`",
        digits=0,
        unit=" ms",
        lower_is_better=True,
    )
    ends = f"95th percentile {ours['p95']:.0f} ms"
    rows = [
        replace(whole, interval=ends, is_headline=True),
        against_goal(
            source, "plain loop / ours", values["ratio"], GOALS["ratio"],
            digits=1, unit=" x", lower_is_better=False,
        ),
        against_goal(
            source, "fresh process to first answer", values["cold_start_s"],
            GOALS["cold_start_s"], digits=1, unit=" s", lower_is_better=True,
        ),
        against_goal(
            source, "peak memory, index warm", values["peak_memory_gb"],
            GOALS["peak_memory_gb"], digits=2, unit=" GB", lower_is_better=True,
        ),
    ]  # fmt: skip
    return rows


def cost(kept: KeptReports) -> list[Row]:
    """What making a bundle costs, and what the shorter recipe gives up."""
    rows = []
    for name in kept.names("*.costs"):
        costs = read_costs(kept.path(name))
        stages = costs.stages.values()
        hours = sum(stage.wall_s for stage in stages) / 3600
        source = Source(name, "costs.md", f"{len(stages)} stages, {costs.cores} cores")
        run = name.removesuffix(".costs")
        rows.append(
            against_goal(
                source, f"wall time of run `{run}`", hours, GOAL_HOURS,
                digits=2, unit=" h", lower_is_better=True,
            )
        )  # fmt: skip
    return rows + _recipes(kept)


def _recipes(kept: KeptReports) -> list[Row]:
    values = kept.load("recipes")
    if values is None:
        return []
    first, second = values["runs"]
    source = Source("recipes", "recipes.md", f"{values['n']} cases")
    rows = []
    for name in ("joint", "rag", "reader", "no_retrieval"):
        row = values["systems"][name]
        rows.append(
            line(
                source,
                f"accuracy, `{name}`: run `{second}`",
                row["accuracy"][1],
                row["accuracy"][0],
                f"run `{first}`",
                difference=row["difference"],
                difference_interval=row["interval"],
            )
        )
    return rows


def _pair(
    source: Source, report: VqaReport | VqaSubset, pair: Sequence[str], title: str
) -> list[Row]:
    """One system beside another, with their difference where it is kept."""
    first, second = pair
    if not {first, second} <= report.systems.keys():
        return []
    found = next((d for d in report.differences if (d.first, d.second) == (first, second)), None)
    own, other = report.systems[first], report.systems[second]
    return [
        line(
            source,
            f"{title}, `{first}`",
            own.mean,
            other.mean,
            f"`{second}`",
            interval=own.mean_ci,
            difference=found.difference if found else None,
            difference_interval=found.ci if found else None,
        )
    ]


def _without_twins(source: Source, report: VqaReport, title: str) -> list[Row]:
    if report.clean is None or not report.clean.n:
        return []
    own = Source(source.report, source.page, f"{report.clean.n} questions")
    return _pair(own, report.clean, PAIRS[0], f"{title} without near duplicates")
