"""Rerankers on a run's kept readings: `python -m benchmarks.experiments.rerankers.run RUN`.

No reader is asked: all see the answers that were read beside each candidate (`measure RUN`). Writes
`cv/report.gap.json` in the run, which `python -m benchmarks.write_results RUN` makes a page of.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from benchmarks.experiments.rerankers.conclude import (
    REFERENCE,
    comparisons_of,
    conclude_in_every_way,
)
from benchmarks.experiments.rerankers.report import TASK_SUFFIX
from benchmarks.experiments.runs import kept_readings, open_named_run
from jomed_app.evaluation.folds.readings import PLAIN
from jomed_app.evaluation.report.build import build_report, write_report

REPORT_FILE = "report.gap.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Conclude every held-out case in every way, write the report."""
    work = open_named_run(__doc__, arguments)
    _, read = kept_readings(work, (PLAIN,))
    cases, settings = conclude_in_every_way(read), work.config.train_reader
    report = build_report(
        cases,
        task=work.task.name + TASK_SUFFIX,
        split="val" if settings.folds == 1 else f"{settings.folds}-fold",
        labels=list(work.task.labels),
        positive_label=work.task.positive_label,
        bundle=work.root.resolve().name,
        index=PLAIN.index,
        seed=settings.seed,
        reference_system=REFERENCE,
        comparisons=comparisons_of(list(cases[0].systems)),
    )
    write_report(report, work.root / "cv" / REPORT_FILE)
    sys.stdout.write(f"{REPORT_FILE}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
