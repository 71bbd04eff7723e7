"""Reports to Markdown: every number in docs/results comes from a `report.json`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import mean, stdev

from jomed_app.evaluation.report.build import read_report
from jomed_app.evaluation.report.plots import (
    draw_accuracy,
    draw_coverage,
    draw_reliability,
    draw_states,
)
from jomed_app.evaluation.report.schema import Difference, EvaluationReport, Range, SystemReport
from jomed_app.evaluation.systems import ADVERSARIAL

NOTHING = "–"
"""Shown where the cases or the system do not define a figure."""

Column = tuple[str, Callable[[SystemReport], str]]


def write_results(reports: Sequence[Path], out: Path) -> list[Path]:
    """Write one Markdown page with its plots per report, and a page over seeds if they differ.

    What a report does not hold is not drawn: a coverage curve, or states of the candidates.

    Args:
        reports: files written by `write_report`.
        out: folder of the pages; made when missing, pages of the same name are replaced.

    Returns:
        The pages, then the plots.

    Raises:
        RecordError: if a report is missing or does not follow its schema.
        ValueError: if two reports would share a page (same task, split, index, bundle, seed).
    """
    read = [read_report(path) for path in reports]
    names = [page_name(report) for report in read]
    if len(set(names)) < len(names):
        raise ValueError(f"every report needs a page of its own, found {sorted(names)}")
    out.mkdir(parents=True, exist_ok=True)
    pages, plots = [], []
    for name, report in zip(names, read, strict=True):
        drawn = _draw(report, out, name)
        plots += drawn
        page = out / f"{name}.md"
        images = "\n\n".join(f"![{path.stem}]({path.name})" for path in drawn)
        page.write_text(f"{markdown(report)}\n{images}\n", encoding="utf-8")
        pages.append(page)
    if table := seeds_table(read):
        page = out / "seeds.md"
        page.write_text(f"# Over seeds\n\n{table}", encoding="utf-8")
        pages.append(page)
    return pages + plots


def _draw(report: EvaluationReport, out: Path, name: str) -> list[Path]:
    """Draw a report's plots and return those that there are."""
    drawn = [out / f"{name}-accuracy.svg", out / f"{name}-reliability.svg"]
    draw_accuracy(report, drawn[0])
    draw_reliability(report, drawn[1])
    for part, draw in (("coverage", draw_coverage), ("states", draw_states)):
        path = out / f"{name}-{part}.svg"
        if draw(report, path):
            drawn.append(path)
    return drawn


def page_name(report: EvaluationReport) -> str:
    """Return the file stem of a report's page, letters, digits, dots and dashes only."""
    parts = (report.task, report.split, report.index, report.bundle, f"seed{report.seed}")
    joined = "-".join(parts)
    return "".join(letter if letter.isalnum() or letter in "-." else "-" for letter in joined)


def markdown(report: EvaluationReport) -> str:
    """Return the whole page of a report, without plots."""
    subset = NOTHING if report.n_inconsistent is None else str(report.n_inconsistent)
    lines = [
        f"# {report.task}, {report.split}",
        "",
        "Generated from a report; do not edit. Research demo, not a medical device.",
        "",
        f"- cases: {report.n} in {report.n_groups} groups; {report.n_clean} without a near "
        "duplicate in the corpus",
        f"- inconsistent cases (candidates of `{report.reference_system}` disagree): {subset}",
        f"- bundle `{report.bundle}`, index `{report.index}`, seed {report.seed}",
        f"- brackets: 95 % percentile bootstrap over groups, {report.num_resamples} resamples",
        *(
            [f"- `{ADVERSARIAL}`: chosen by the true label, to mislead; no way to answer"]
            if ADVERSARIAL in report.systems
            else []
        ),
        "",
    ]
    sections = [
        ("Diagnosis", results_table(report)),
        ("Answered right, by true label", recall_table(report)),
        ("Probabilities", probabilities_table(report)),
        ("Retrieval and consistency", consistency_table(report)),
        ("Boxes", localization_table(report)),
        ("Differences on the same cases", differences_table(report)),
        ("Error rate within each warning state", states_table(report)),
    ]
    return (
        "\n".join(lines)
        + "\n"
        + "\n".join(f"## {title}\n\n{table}" for title, table in sections if table)
    )


def results_table(report: EvaluationReport) -> str:
    """Return accuracy, AUROC and their like, one system a line."""
    return _systems_table(
        report,
        [
            ("accuracy", lambda s: _with_range(s.accuracy, s.accuracy_ci)),
            ("accuracy, clean", lambda s: _number(s.accuracy_clean)),
            ("accuracy, inconsistent", lambda s: _number(s.inconsistent_accuracy)),
            ("balanced", lambda s: _number(s.balanced_accuracy)),
            ("macro F1", lambda s: _number(s.macro_f1)),
            (f"AUROC {report.positive_label}", lambda s: _with_range(s.auroc, s.auroc_ci)),
            ("macro AUROC", lambda s: _number(s.auroc_macro)),
            ("binary accuracy", lambda s: _number(s.binary_accuracy)),
            ("sensitivity", lambda s: _number(s.sensitivity)),
            ("specificity", lambda s: _number(s.specificity)),
            ("s per case", lambda s: _number(s.seconds_per_case, 2)),
        ],
    )


def recall_table(report: EvaluationReport) -> str:
    """Return the share of right answers label by label; empty for reports that hold none."""

    def of(label: str) -> Column:
        return label, lambda system: _number(system.recall.get(label))

    return _systems_table(report, list(map(of, report.labels)), only=lambda s: bool(s.recall))


def probabilities_table(report: EvaluationReport) -> str:
    """Return how honest the stated probabilities are; AURC in reports of schema 2."""
    return _systems_table(
        report,
        [
            ("NLL, nats", lambda s: _number(s.nll)),
            ("Brier", lambda s: _number(s.brier)),
            ("ECE", lambda s: _number(s.ece)),
            ("AURC", lambda s: _number(s.aurc)),
        ],
    )


def consistency_table(report: EvaluationReport) -> str:
    """Return the figures of systems that read candidates; empty when none does."""
    return _systems_table(
        report,
        [
            ("inconsistent", lambda s: _number(s.inconsistent_rate)),
            ("oracle", lambda s: _number(s.oracle_accuracy)),
            ("oracle of guesses", lambda s: _number(s.chance_oracle)),
            ("same label at k", lambda s: _number(s.label_agreement_at_k)),
            ("answer variance", lambda s: _number(s.answer_variance)),
            ("effective candidates", lambda s: _number(s.effective_candidates, 2)),
        ],
        only=lambda s: s.oracle_accuracy is not None or s.label_agreement_at_k is not None,
    )


def localization_table(report: EvaluationReport) -> str:
    """Return the figures of systems that give boxes; empty when none does."""
    return _systems_table(
        report,
        [
            ("mean IoU", lambda s: _number(s.mean_iou)),
            ("IoU ≥ 0.3", lambda s: _number(s.iou30)),
            ("IoU ≥ 0.5", lambda s: _number(s.iou50)),
            ("false boxes per normal", lambda s: _number(s.false_boxes_per_normal)),
            ("parse rate", lambda s: _number(s.parse_rate)),
        ],
        only=lambda s: s.parse_rate is not None,
    )


def differences_table(report: EvaluationReport) -> str:
    """Return paired differences with intervals and McNemar's test; empty without any."""
    if not report.differences:
        return ""
    header = ["first − second", "metric", "cases", "n", "difference", "only first / second right"]
    return _table([*header, "McNemar p"], map(_difference_row, report.differences))


def states_table(report: EvaluationReport) -> str:
    """Return the error rate within each warning state per system; empty without states."""
    rows = [
        [name, state, str(rate.num_cases), _with_range(rate.rate, rate.interval)]
        for name, system in report.systems.items()
        for state, rate in system.error_rates.items()
    ]
    return _table(["system", "state", "cases", "error rate (Wilson 95 %)"], rows) if rows else ""


def seeds_table(reports: Sequence[EvaluationReport]) -> str:
    """Return mean ± standard deviation over reports that differ in seed or bundle only.

    Empty when no task, split and index has two reports.
    """
    together: dict[tuple[str, str, str], list[EvaluationReport]] = {}
    for report in reports:
        together.setdefault((report.task, report.split, report.index), []).append(report)
    rows = [
        [*key, name, str(len(group)), _spread(accuracies), _spread(areas)]
        for key, group in together.items()
        if len(group) > 1
        for name in group[0].systems
        if all(name in report.systems for report in group)
        for accuracies in [[report.systems[name].accuracy for report in group]]
        for areas in [[report.systems[name].auroc for report in group]]
    ]
    header = ["task", "split", "index", "system", "runs", "accuracy", "AUROC"]
    return _table(header, rows) if rows else ""


def _systems_table(
    report: EvaluationReport,
    columns: Sequence[Column],
    only: Callable[[SystemReport], bool] = lambda _: True,
) -> str:
    """One line per system, without columns that no system fills."""
    systems = {name: system for name, system in report.systems.items() if only(system)}
    if not systems:
        return ""
    filled = [
        (title, cell)
        for title, cell in columns
        if any(cell(system) != NOTHING for system in systems.values())
    ]
    rows = [[name, *(cell(system) for _, cell in filled)] for name, system in systems.items()]
    return _table(["system", *(title for title, _ in filled)], rows)


def _difference_row(found: Difference) -> list[str]:
    """Cells of one difference."""
    alone = NOTHING if found.first_only is None else f"{found.first_only} / {found.second_only}"
    difference = NOTHING
    if found.difference is not None:
        difference = f"{found.difference:+.3f}"
        if found.ci is not None:
            difference += f" [{found.ci[0]:+.3f}, {found.ci[1]:+.3f}]"
    p_value = NOTHING if found.mcnemar_p is None else f"{found.mcnemar_p:.3g}"
    pair = f"{found.first} − {found.second}"
    return [pair, found.metric, found.subset, str(found.n), difference, alone, p_value]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; a bar within a cell is escaped."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines
    )


def _number(value: float | None, digits: int = 3) -> str:
    """Fixed digits, or a dash."""
    return NOTHING if value is None else f"{value:.{digits}f}"


def _with_range(value: float | None, interval: Range | None) -> str:
    """Value [low, high]."""
    if value is None or interval is None:
        return _number(value)
    return f"{value:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"


def _spread(values: Sequence[float | None]) -> str:
    """Mean ± sample standard deviation, or a dash."""
    known = [value for value in values if value is not None]
    return f"{mean(known):.3f} ± {stdev(known):.3f}" if len(known) > 1 else NOTHING
