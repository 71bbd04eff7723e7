"""One page a task: every way in which its cases were read is a section, seeds are columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from jomed_app.evaluation.report.pages import systems
from jomed_app.evaluation.report.pages.effects import (
    effects_table,
    pass_table,
    selective_table,
)
from jomed_app.evaluation.report.pages.markdown import (
    fill,
    mean_and_spread,
    number,
    table,
    with_range,
)
from jomed_app.evaluation.report.pages.pictures import (
    draw_accuracy,
    draw_coverage,
    draw_reliability,
    draw_states,
)
from jomed_app.evaluation.report.schema import EvaluationReport
from jomed_app.evaluation.systems import ADVERSARIAL

BINARY, MASKED, SIMULATED = "-binary", "-masked", "simulated-index"
TRAINED_ANEW = ("joint_reader", "joint")  # by a seed of the query heads; all other systems by none
PICTURES = "pictures"  # folder beside the pages
KINDS = {
    "plain": "Plain",
    "masked": "Annotations in the image masked",
    "simulated": "Beside the simulated index",
}
SECTIONS = (
    ("Diagnosis", systems.results_table),
    ("Answered right, by true label", systems.recall_table),
    ("Operating points", systems.operating_table),
    ("Probabilities", systems.probabilities_table),
    ("Retrieval and consistency", systems.consistency_table),
    ("Boxes", systems.localization_table),
    ("Help and harm", effects_table),
    ("Right beside one of the K heaviest candidates", pass_table),
    ("Does agreement tell more of errors than confidence", selective_table),
    ("Differences on the same cases", systems.differences_table),
    ("Error rate within each warning state", systems.states_table),
)


@dataclass(frozen=True, slots=True)
class Reading:
    """One way of reading a task's cases.

    Attributes:
        kind: a key of `KINDS`.
        is_binary: whether the labels are the positive one and the rest.
        reports: one per seed of the query heads, in order of the seeds.
    """

    kind: str
    is_binary: bool
    reports: tuple[EvaluationReport, ...]

    @property
    def name(self) -> str:
        """For files: letters and dashes."""
        return self.kind + (BINARY if self.is_binary else "")

    @property
    def title(self) -> str:
        """Heading of its section."""
        more = f": {self.reports[0].positive_label} or not" if self.is_binary else ""
        return KINDS[self.kind] + more


def task_of(report: EvaluationReport) -> str:
    """The task of a report, without what is asked of it."""
    return report.task.removesuffix(BINARY)


def readings_of(reports: Sequence[EvaluationReport]) -> list[Reading]:
    """Sort a task's reports by the way in which its cases were read.

    Args:
        reports: of one task.

    Raises:
        ValueError: if reports are of several tasks, two of one way share a seed, or a system that
            no seed trains anew differs between seeds.
    """
    tasks = {task_of(report) for report in reports}
    if len(tasks) != 1:
        raise ValueError(f"a page is of one task, found reports of {sorted(tasks)}")
    found: dict[tuple[str, bool], list[EvaluationReport]] = {}
    for report in reports:
        key = (_kind_of(report), report.task.endswith(BINARY))
        found.setdefault(key, []).append(report)
    order = sorted(found, key=lambda key: (list(KINDS).index(key[0]), key[1]))
    return [
        Reading(kind, is_binary, _one_per_seed(found[kind, is_binary])) for kind, is_binary in order
    ]


def draw_task(readings: Sequence[Reading], folder: Path) -> dict[str, list[Path]]:
    """Draw what a task's page shows; with two labels no picture repeats a table.

    Args:
        readings: of one task.
        folder: of the pictures, `PICTURES` beside the page.

    Returns:
        Name of a reading -> its pictures' files.
    """
    task = task_of(readings[0].reports[0])
    return {each.name: _draw(each, folder, f"{task}-{each.name}") for each in readings}


def task_page(
    readings: Sequence[Reading],
    pictures: Mapping[str, Sequence[Path]],
    *,
    measured: str,
) -> str:
    """Word a task's page.

    Args:
        readings: of one task.
        pictures: name of a reading -> its pictures' files.
        measured: a sentence on what was measured, the bundle or the run.
    """
    first = readings[0].reports[0]
    return fill(
        Path(__file__).with_suffix(".md.jinja"),
        task=task_of(first),
        measured=measured,
        num_resamples=first.num_resamples,
        trained_anew=[name for name in TRAINED_ANEW if name in first.systems],
        has_seeds=any(len(each.reports) > 1 for each in readings),
        adversarial=ADVERSARIAL,
        has_clean=all(systems.has_clean_figures(each.reports[0]) for each in readings),
        parts=[_part(each, pictures.get(each.name, ())) for each in readings],
        pictures=PICTURES,
    )


def seeds_table(reports: Sequence[EvaluationReport]) -> Markup:
    """Figures of the systems that every seed trains anew; empty with a single report."""
    if len(reports) < 2:
        return systems.NO_TABLE
    rows: list[list[object]] = []
    for name in (name for name in TRAINED_ANEW if name in reports[0].systems):
        for metric, title in (
            ("accuracy", "accuracy"),
            ("macro_f1", "macro F1"),
            ("auroc", f"AUROC {reports[0].positive_label}"),
            ("nll", "NLL, nats"),
        ):
            values = [getattr(report.systems[name], metric) for report in reports]
            rows.append([name, title, *map(number, values), mean_and_spread(values)])
        for place, each in enumerate(reports[0].differences):
            if each.first != name or each.subset != "all" or each.metric != "accuracy":
                continue
            found = [report.differences[place] for report in reports]
            cells = [with_range(one.difference, one.ci, sign="+") for one in found]
            spread = mean_and_spread([one.difference for one in found], sign="+")
            rows.append([f"{name} − {each.second}", "accuracy", *cells, spread])
    header = ["system", "figure", *(f"seed {report.seed}" for report in reports), "mean ± sd"]
    return table(header, rows, words=(0, 1)) if rows else systems.NO_TABLE


def _part(reading: Reading, pictures: Sequence[Path]) -> dict[str, Any]:
    """What the template says of one reading."""
    report = reading.reports[0]
    tables = [(title, make(report)) for title, make in SECTIONS]
    return {
        "title": reading.title,
        "report": report,
        "is_misled": ADVERSARIAL in report.systems,
        "has_clean": systems.has_clean_figures(report),
        "tables": [(title, made) for title, made in tables if made],
        "seeds": seeds_table(reading.reports),
        "pictures": [path.name for path in pictures],
    }


def _draw(reading: Reading, folder: Path, name: str) -> list[Path]:
    """Draw what a reading's first report holds."""
    report, drawn = reading.reports[0], []
    if not reading.is_binary:
        drawn.append(folder / f"{name}-accuracy.svg")
        draw_accuracy(report, drawn[-1])
    drawn.append(folder / f"{name}-reliability.svg")
    draw_reliability(report, drawn[-1])
    if draw_coverage(report, path := folder / f"{name}-coverage.svg"):
        drawn.append(path)
    if not reading.is_binary and draw_states(report, path := folder / f"{name}-states.svg"):
        drawn.append(path)
    return drawn


def _kind_of(report: EvaluationReport) -> str:
    if report.split.endswith(MASKED):
        return "masked"
    return "simulated" if report.index == SIMULATED else "plain"


def _one_per_seed(reports: Sequence[EvaluationReport]) -> tuple[EvaluationReport, ...]:
    """In order of the seeds; what no seed trains anew must be the same in all."""
    ordered = sorted(reports, key=lambda report: report.seed)
    seeds = [report.seed for report in ordered]
    if len(set(seeds)) < len(seeds):
        raise ValueError(
            f"every report of one way of reading needs a seed of its own, found {seeds} for "
            f"'{ordered[0].task}', '{ordered[0].split}'; keep one of them"
        )
    for report in ordered[1:]:
        for name, system in ordered[0].systems.items():
            if name in TRAINED_ANEW:
                continue
            other = report.systems.get(name)
            if other is None or (other.accuracy, other.nll) != (system.accuracy, system.nll):
                raise ValueError(
                    f"no seed of the query heads changes `{name}`, found it changed between seeds "
                    f"{ordered[0].seed} and {report.seed} of '{report.task}'; measure them together"
                )
    return tuple(ordered)
