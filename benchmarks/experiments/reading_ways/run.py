"""What makes a reader read its candidates: `python -m benchmarks.experiments.reading_ways.run RUN`.

Every way is a file in the folder `options`. Each tunes a fresh reader on the training cases
of fold 0, from where the stage `reader` starts on real cases, and reads held-out cases beside
retrieved, random, misleading and no candidates. Some jobs know only a share of the cases; some hold
out a class, which then exists only in the index that is read from. A finished job is kept as a file
and not repeated; `--report` alone makes the page anew. RUN is read, never written.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
import tomllib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import RESULTS, ROOT
from benchmarks.experiments.reading_ways.cases import (
    FOLD,
    Job,
    drawn_cases,
    limited_tables,
    read_cases,
)
from benchmarks.experiments.reading_ways.figures import summarize_folder
from benchmarks.experiments.runs import measured_on
from benchmarks.threads import threads_set
from benchmarks.write_results import publish
from jomed_app.config.load import JomedConfig, config_from_stored
from jomed_app.progress import OnProgress, show_progress
from jomed_app.training.cases.fold_corpus import FoldCorpus
from jomed_app.training.cases.table import ReaderTable, load_reader_table
from jomed_app.training.cases.table_reader import TableReader, freeze_reader
from jomed_app.training.reader.stage import tune_on_mixture
from jomed_app.training.run.workspace import Workspace

OPTIONS = Path(__file__).parent / "options"
WAYS = ("plain", "comparison", "hidden", "misleading", "mixed")
KEPT_SECTIONS = ("tower", "reader", "retriever", "index", "simulation", "train_reader")
# task -> (ways, share of the training cases that is known, class that is held out)
PLANS: dict[str, tuple[tuple[tuple[str, ...], float, str], ...]] = {
    "breast": (
        (WAYS, 1.0, ""),
        (("plain", "mixed"), 1.0, "malignant"),
        (("plain", "mixed"), 0.1, ""),
        (("plain", "mixed"), 0.25, ""),
    ),
    "retina": (
        (("plain", "hidden", "mixed"), 1.0, ""),
        (("plain",), 1.0, "moderate"),
    ),
}


def list_jobs(task: str, num_seeds: int) -> list[Job]:
    """All jobs of a task, seed by seed.

    Raises:
        ValueError: if nothing is planned for the task.
    """
    if task not in PLANS:
        raise ValueError(f"a run must be of a task in {sorted(PLANS)}, found '{task}'; add a plan")
    return [
        Job(task, way, fraction, held_out, seed)
        for seed in range(num_seeds)
        for ways, fraction, held_out in PLANS[task]
        for way in ways
    ]


def read_config(run: Path, data: Path | None = None) -> JomedConfig:
    """The parts of a run's configuration that a reader depends on; `data` replaces its data."""
    values = json.loads((run / "config.json").read_text(encoding="utf-8"))
    config = config_from_stored({name: values[name] for name in KEPT_SECTIONS if name in values})
    if data is None:
        return config
    return config.replaced(train_reader=config.train_reader.replaced(data=str(data)))


def way_config(config: JomedConfig, way: str, steps: int, seed: int) -> JomedConfig:
    """The run's configuration with the shares of a way."""
    path = OPTIONS / f"{way}.toml"
    shares = tomllib.loads(path.read_text(encoding="utf-8"))["train_reader"]
    tuned = config.train_reader.replaced(steps=steps, seed=seed, **shares)
    return config.replaced(train_reader=tuned)


def run_job(
    job: Job,
    run: Path,
    config: JomedConfig,
    table: ReaderTable,
    options: argparse.Namespace,
    on_progress: OnProgress,
) -> dict[str, Any]:
    """Tune, read, and say case by case what was right."""
    work = Workspace(run, way_config(config, job.way, options.steps, job.seed))
    tuned, read = limited_tables(table, job)
    folder = options.out / "runs" / job.name
    start = time.perf_counter()
    reader, adapted = work.starting_reader()
    history = tune_on_mixture(work, reader, tuned, FOLD, out=folder, on_progress=on_progress)
    seconds = time.perf_counter() - start
    shutil.rmtree(folder)
    cases = read_cases(
        TableReader(freeze_reader(reader, adapted), work.task, read),
        FoldCorpus(read, FOLD),
        drawn_cases(table.records, table.held_out_rows(FOLD), options.cases),
        config.index.k_per_head,
        job.seed,
        on_progress,
        job.held_out,
    )
    return {
        **asdict(job),
        "steps": options.steps,
        "seconds": seconds,
        "loss": history[-1]["loss"],
        "queries": len(tuned.training_rows(FOLD)),
        "known": len(read.training_rows(FOLD)),
        "is_simulated": bool(work.task.simulator),
        "cases": cases,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing, then write the page."""
    options = _parse(arguments)
    if not options.report:
        config = read_config(options.run, options.data)
        jobs = list_jobs(config.train_reader.task, options.seeds)
        with threads_set(options.threads):
            _run_missing([job for job in jobs if options.only in job.name], config, options)
    publish("reading", summarize_folder(options.out), measured_on(options.run), options.results)
    return 0


def _run_missing(jobs: Sequence[Job], config: JomedConfig, options: argparse.Namespace) -> None:
    options.out.mkdir(parents=True, exist_ok=True)
    table: ReaderTable | None = None
    for job in jobs:
        path = options.out / f"{job.name}.json"
        if path.is_file():
            continue
        if table is None:  # encoded once for all jobs
            work = Workspace(options.run, config)
            table = load_reader_table(work, work.starting_reader()[0])
        with show_progress(job.name, options.out / "bench.log") as on_progress:
            result = run_job(job, options.run, config, table, options, on_progress)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(result), encoding="utf-8")
        os.replace(part, path)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else "")
    parser.add_argument("run", type=Path, nargs="?", default=ROOT / "checkpoints" / "embedded")
    parser.add_argument("--data", type=Path, help="root of the public sets, instead of the run's")
    parser.add_argument("--out", type=Path, default=ROOT / "checkpoints" / "reading_ways")
    parser.add_argument("--only", default="", help="part of the names of the jobs to run")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--cases", type=int, default=120, help="held-out cases read, at most")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--report", action="store_true", help="only write the page")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
