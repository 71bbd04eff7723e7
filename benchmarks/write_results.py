"""Kept reports become pages: `python -m benchmarks.write_results [RUN] [--bundle "bundle 6"]`.

Without RUN all pages are made anew from the reports that are kept beside them. With it the reports
of that run are kept first; `--bundle` says which bundle was made of the run.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import README, RESULTS
from benchmarks.blocks import replace_block
from benchmarks.claims.evidence import evidence_of
from benchmarks.claims.index import index_page, readme_table
from benchmarks.experiments.align import report as align
from benchmarks.experiments.fold_assignments import report as fold_assignments
from benchmarks.experiments.localise import report as localise
from benchmarks.experiments.number_types import report as number_types
from benchmarks.experiments.reading_ways import report as reading_ways
from benchmarks.experiments.recipes import report as recipes
from benchmarks.experiments.rerankers import report as rerankers
from benchmarks.experiments.resolution import report as resolution
from benchmarks.experiments.retriever_options import report as retriever_options
from benchmarks.experiments.reward_options import report as reward_options
from benchmarks.experiments.simulator import report as simulator
from benchmarks.experiments.towers import report as towers
from benchmarks.kept import KeptReports, Measured
from benchmarks.readers import report as readers
from benchmarks.reliability import page as reliability
from benchmarks.reliability.records import FOLDER as RECORDED_RUNS
from benchmarks.speed import report as speed
from benchmarks.stores import report as stores
from jomed_app.evaluation.report.evidence import write_evidence
from jomed_app.evaluation.report.pages.costs import costs_page
from jomed_app.evaluation.report.pages.questions import vqa_page
from jomed_app.evaluation.report.pages.task import (
    PICTURES,
    draw_task,
    readings_of,
    task_of,
    task_page,
)
from jomed_app.evaluation.report.questions import read_vqa_report
from jomed_app.evaluation.report.schema import EvaluationReport, read_report
from jomed_app.training.run.costs import COSTS_FILE, read_costs

INDEX = "README.md"
BLOCK = "results"  # of the README


class OwnPage(NamedTuple):
    """A page of one report that is named like it."""

    page: Callable[[Any, str], str]
    draw: Callable[[Any, Path], None] | None = None


OWN_PAGES = {
    "align": OwnPage(align.page, align.draw),
    "answer": OwnPage(speed.page),
    "joint": OwnPage(retriever_options.page),
    "localise": OwnPage(localise.page, localise.draw),
    "number_types": OwnPage(number_types.page),
    "readers": OwnPage(readers.page),
    "reading": OwnPage(reading_ways.page),
    "recipes": OwnPage(recipes.page),
    "resolution": OwnPage(resolution.page),
    "rewards": OwnPage(reward_options.page),
    "simulator": OwnPage(simulator.page),
    "stores": OwnPage(stores.page),
    "towers": OwnPage(towers.page),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Keep a run's reports, if one is named, and write all pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, nargs="?", help="folder of a run whose reports to keep")
    parser.add_argument("--bundle", default="", help="what was made of the run, in words")
    chosen = parser.parse_args(arguments)
    if chosen.run is not None:
        bundle = chosen.bundle or f"run `{chosen.run.resolve().name}`"
        if not keep_run(chosen.run, KeptReports(RESULTS), Measured(bundle=bundle)):
            sys.stderr.write(f"'{chosen.run.name}' holds no report; run measure first\n")
            return 2
    for page in write_pages(RESULTS, README):
        sys.stdout.write(f"{page.name}\n")
    return 0


def publish(name: str, values: Any, measured: Measured, results: Path | None = None) -> None:
    """Keep the report of an experiment and write the pages.

    Args:
        name: of report and page.
        values: plain values.
        measured: with what.
        results: folder of the pages; left out, the repository's, whose README is written too.
    """
    folder = RESULTS if results is None else results.resolve()
    KeptReports(folder).keep(name, values, measured)
    write_pages(folder, README if folder == RESULTS else None)


def keep_run(run: Path, kept: KeptReports, measured: Measured) -> list[str]:
    """Keep a run's reports (`cv/`, `vqa/`) and costs; return their names."""
    copied = {
        f"{_task(read_report(path))}.{path.stem}": path
        for path in sorted((run / "cv").glob("report*.json"))
    }
    repeats = run / "cv" / "fold_seeds.json"
    if repeats.is_file():
        copied[f"{_task(read_report(run / 'cv' / 'report.json'))}.{repeats.stem}"] = repeats
    for path in sorted((run / "vqa").glob("report.*.json")):
        copied[path.stem.replace("report", "vqa", 1)] = path
    if (run / COSTS_FILE).is_file():
        copied[f"{run.resolve().name}.costs"] = run / COSTS_FILE
    for name, path in copied.items():
        kept.copy(path, name, measured)
    return list(copied)


def write_pages(results: Path, readme: Path | None = None) -> list[Path]:
    """Write all that the kept reports make: pages, pictures, index, the README's table, evidence.

    Args:
        results: folder of the pages; reports lie in `reports/` in it, pictures in `pictures/`.
        readme: a page with the marks of the block `results`, or None; `assets/` beside it takes
            the lines that the app's own page shows.

    Returns:
        The pages, the index last.
    """
    kept = KeptReports(results)
    (results / PICTURES).mkdir(parents=True, exist_ok=True)
    pages = {
        **_task_pages(kept, results / PICTURES),
        **_shared_pages(kept),
        **_own_pages(kept, results / PICTURES),
    }
    names = sorted(f"{name}.md" for name in pages)
    pages[Path(INDEX).stem] = index_page(kept, names)
    for name, text in pages.items():
        (results / f"{name}.md").write_text(text, encoding="utf-8")
    if readme is not None:
        replace_block(readme, BLOCK, readme_table(kept))
        write_evidence(evidence_of(kept), readme.parent / "assets")
        recorded = reliability.page(results / RECORDED_RUNS.name)
        (results.parent / "reliability.md").write_text(recorded, encoding="utf-8")
    return [results / f"{name}.md" for name in pages]


def _task_pages(kept: KeptReports, pictures: Path) -> dict[str, str]:
    """One page a task, with its pictures."""
    by_task: dict[str, list[str]] = {}
    for name in kept.names("*.report*"):
        report = read_report(kept.path(name))
        if not report.task.endswith(rerankers.TASK_SUFFIX):
            by_task.setdefault(task_of(report), []).append(name)
    pages = {}
    for task, names in by_task.items():
        readings = readings_of([read_report(kept.path(name)) for name in names])
        drawn = draw_task(readings, pictures)
        pages[task] = task_page(readings, drawn, measured=_measured(kept, names))
    return pages


def _shared_pages(kept: KeptReports) -> dict[str, str]:
    """Pages of several reports of one kind."""
    pages = {}
    asked = list(kept.names("vqa.*"))
    if asked:
        reports = [read_vqa_report(kept.path(name)) for name in asked]
        pages["questions"] = vqa_page(reports, measured=_measured(kept, asked))
    costs = {name.removesuffix(".costs"): name for name in kept.names("*.costs")}
    if costs:
        pages["costs"] = costs_page(
            {run: read_costs(kept.path(name)) for run, name in costs.items()},
            measured={run: kept.measured(name).sentence for run, name in costs.items()},
        )
    gaps = {_task(read_report(kept.path(name))): name for name in kept.names("*.report.gap")}
    if gaps:
        pages["rerankers"] = rerankers.page(
            {task: read_report(kept.path(name)) for task, name in gaps.items()},
            {task: kept.measured(name).sentence for task, name in gaps.items()},
        )
    repeats = {name.removesuffix(".fold_seeds"): name for name in kept.names("*.fold_seeds")}
    if repeats:
        pages["fold_assignments"] = fold_assignments.page(
            {task: kept.load(name) for task, name in repeats.items()},
            {task: kept.measured(name).sentence for task, name in repeats.items()},
        )
    return pages


def _own_pages(kept: KeptReports, pictures: Path) -> dict[str, str]:
    """Pages of a single report each."""
    pages = {}
    for name, own in OWN_PAGES.items():
        values = kept.load(name)
        if values is None:
            continue
        pages[name] = own.page(values, kept.measured(name).sentence)
        if own.draw is not None:
            own.draw(values, pictures)
    return pages


def _measured(kept: KeptReports, names: Sequence[str]) -> str:
    """What the reports of one page were measured with; each by name where they differ."""
    said = {name: kept.measured(name).sentence for name in names}
    if len(set(said.values())) == 1:
        return said[names[0]]
    return " ".join(f"`{name}`: {sentence}" for name, sentence in said.items())


def _task(report: EvaluationReport) -> str:
    """The task of a report, without what is asked of it."""
    return task_of(report).removesuffix(rerankers.TASK_SUFFIX)


if __name__ == "__main__":
    raise SystemExit(main())
