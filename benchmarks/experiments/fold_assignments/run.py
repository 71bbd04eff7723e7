"""Cheap systems over several folds: `python -m benchmarks.experiments.fold_assignments.run RUN`.

The linear head and the vote are fitted anew for each assignment of the real cases to folds. Writes
`cv/fold_seeds.json` in the run, which `python -m benchmarks.write_results RUN` makes a page of.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.experiments.fold_assignments.repeat import repeat_baselines
from benchmarks.experiments.runs import open_run
from jomed_app.evaluation.folds.cross_validate import SETTINGS_FILE
from jomed_app.evaluation.folds.read_fold import view_of
from jomed_app.training.cases.table import load_reader_table

REPORT_FILE = "fold_seeds.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Score both systems for each assignment, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", type=Path, help="root of the public sets, instead of the run's")
    chosen = parser.parse_args(arguments)
    work = open_run(chosen.run, chosen.data)
    num_folds = work.config.train_reader.folds
    if num_folds < 2:
        sys.stdout.write("One split is held out: there is no assignment of folds to repeat.\n")
        return 0
    profile = json.loads((work.root / "cv" / SETTINGS_FILE).read_text(encoding="utf-8"))["real"]
    vote = profile.get("standard", profile)["knn"]  # as fitted beside the frozen retriever
    reader, _ = work.trainable_reader()
    table = load_reader_table(work, reader)
    rows = repeat_baselines(
        table,
        view_of(table, work.task, int(reader.model.config.vision_config.position_dim)),
        work.task,
        num_folds=num_folds,
        num_neighbors=int(vote["alone_neighbors"]),
        temperature=float(vote["alone_temperature"]),
    )
    text = json.dumps(rows, indent=1) + "\n"
    (work.root / "cv" / REPORT_FILE).write_text(text, encoding="utf-8")
    sys.stdout.write(f"{REPORT_FILE}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
