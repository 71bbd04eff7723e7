"""Cheap systems over several folds: `python -m benchmarks.experiments.fold_assignments.run RUN`.

The linear head and the vote are fitted anew for each assignment of the real cases to folds. Writes
`cv/fold_seeds.json` in the run, which `python -m benchmarks.write_results RUN` makes a page of.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from benchmarks.experiments.fold_assignments.repeat import repeat_baselines
from benchmarks.experiments.runs import open_named_run
from jomed_app.evaluation.folds.cross_validate import SETTINGS_FILE
from jomed_app.evaluation.folds.read_fold import view_of
from jomed_app.training.cases.table import load_reader_table

REPORT_FILE = "fold_seeds.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Score both systems for each assignment, write the figures."""
    work = open_named_run(__doc__, arguments)
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
        view_of(table, work.task, reader.tower.config),
        work.task,
        num_folds=num_folds,
        num_neighbors=int(vote["num_neighbors"]),
        temperature=float(vote["vote_temperature"]),
    )
    text = json.dumps(rows, indent=1) + "\n"
    (work.root / "cv" / REPORT_FILE).write_text(text, encoding="utf-8")
    sys.stdout.write(f"{REPORT_FILE}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
