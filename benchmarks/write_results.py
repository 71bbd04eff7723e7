"""Turn a run's reports into pages: `python -m benchmarks.write_results RUN`.

The reports are kept beside the pages, so that every number can be traced to the run that made it.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from benchmarks import RESULTS
from benchmarks.experiments.fold_assignments.repeat import fold_seeds_page
from jomed_app.evaluation.questions.held_out import PAGE_FILE
from jomed_app.evaluation.report.pages import write_results
from jomed_app.evaluation.report.questions import read_vqa_report, vqa_page
from jomed_app.training.run.costs import COSTS_FILE, costs_page, read_costs


def main(run: Path) -> int:
    """Copy a run's reports (`cv/report*.json`, `vqa/report.*.json`) and costs, write the pages.

    Pages are written of all reports that are kept, since one of them compares runs.
    """
    kept = RESULTS / "reports"
    kept.mkdir(parents=True, exist_ok=True)
    own = sorted((run / "cv").glob("report*.json"))
    for path in own:
        shutil.copy2(path, kept / f"{_task(path)}.{path.name}")
    repeats = run / "cv" / "fold_seeds.json"
    if repeats.is_file():
        task = _task(run / "cv" / "report.json")
        shutil.copy2(repeats, kept / f"{task}.fold_seeds.json")
        rows = json.loads(repeats.read_text(encoding="utf-8"))
        (RESULTS / f"{task}-fold-seeds.md").write_text(fold_seeds_page(rows), encoding="utf-8")
    pages = write_results(sorted(kept.glob("*.report*.json")), RESULTS) if own else []
    asked = sorted((run / "vqa").glob("report.*.json"))
    if asked:
        page = RESULTS / PAGE_FILE
        copied = [
            Path(shutil.copy2(path, kept / path.name.replace("report", "vqa", 1))) for path in asked
        ]
        page.write_text(vqa_page([read_vqa_report(path) for path in copied]), encoding="utf-8")
        pages.append(page)
    if (run / COSTS_FILE).is_file():
        pages.append(_write_costs(run, kept))
    for page in pages:
        sys.stdout.write(f"{page.name}\n")
    return 0 if pages else 2


def _write_costs(run: Path, kept: Path) -> Path:
    """Keep the costs under the run's name and write the page of all that are kept."""
    shutil.copy2(run / COSTS_FILE, kept / f"{run.resolve().name}.{COSTS_FILE}")
    known = {
        path.name.removesuffix(f".{COSTS_FILE}"): read_costs(path)
        for path in sorted(kept.glob(f"*.{COSTS_FILE}"))
    }
    page = RESULTS / "costs.md"
    page.write_text(costs_page(known), encoding="utf-8")
    return page


def _task(report: Path) -> str:
    """The task of a report, without what is asked of it."""
    return str(json.loads(report.read_text(encoding="utf-8"))["task"]).split("-")[0]


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
