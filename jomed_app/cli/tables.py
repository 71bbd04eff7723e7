"""Results, reports and costs as tables on a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from jomed_app.export.words import DISCLAIMER, STANDING_WORDS, standing
from jomed_app.imaging.content.region import SOURCE_WORDS
from jomed_app.training.run.costs import COLUMNS, RunCosts, cost_rows
from jomed_app.types import CandidateResult, Result, Retrieval
from jomed_app.ui.text import NO_SIMILAR, less_alike

if TYPE_CHECKING:
    from jomed_app.data.fetch.catalogue import PublicSet
    from jomed_app.data.fetch.get import SetNote
    from jomed_app.evaluation.collection.measure import CollectionReport
    from jomed_app.evaluation.report.schema import EvaluationReport
    from jomed_app.feedback.records import Period

SEARCH_WORDS = {
    "joint": "jointly optimised (trained on which cases help the reader)",
    "standard": "standard RAG (similarity alone)",
}
OTHER_SEARCH: dict[Retrieval, str] = {"joint": "standard RAG", "standard": "jointly optimised"}


def show_result(result: Result, console: Console | None = None) -> None:
    """Print a result: warning first, then the diagnosis, the candidates and the boxes.

    Args:
        result: one case.
        console: where to print; stdout when None.
    """
    console = console or Console()
    console.print(DISCLAIMER)
    for message in result.input.overruled_messages:
        console.print(f"FOR RESEARCH ONLY, read although: {escape(message)}")
    consistency, final = result.consistency, result.final
    counts = ", ".join(f"{count} {label}" for label, count in consistency.counts.items())
    console.print(STANDING_WORDS[standing(result)])
    if counts:
        console.print(f"The image, read beside each: {counts}")
    known = Counter(each.label for each in result.candidates).most_common()
    if known:
        words = ", ".join(f"{count} {escape(label)}" for label, count in known)
        console.print(f"Known diagnoses of the similar cases: {words}")
    if final.prediction is None or final.abstained:
        console.print(f"No diagnosis: {escape(final.reason or 'the checks did not pass')}")
        if "inversion" in final.asks:
            console.print("To exchange black and white first: --invert")
        if final.asks:
            console.print("To go on anyway, for research: --anyway")
    else:
        share = final.probabilities.get(final.prediction)
        figure = "" if share is None else f" {share:.2f}"
        console.print(f"Final: {escape(final.prediction)}{figure}")
        console.print(
            f"Made of: image alone {final.image_head_weight:.0%}, known diagnoses of the nearest "
            f"{final.neighbor_weight:.0%}, read beside similar cases {final.reading_weight:.0%}"
        )
    if result.candidates:
        console.print(f"Search: {SEARCH_WORDS[result.retrieval]}")
        if result.has_similar is False:
            console.print(NO_SIMILAR)
        console.print(_candidate_table(result))
        console.print("Closer than: so many of random pairs of known cases, image to image.")
    for gone in result.dropped:
        console.print(
            f"Not shown here: {escape(gone.candidate_id)} ({escape(gone.label)}), "
            f"{gone.rank} in {OTHER_SEARCH[result.retrieval]}"
        )
    for box in result.boxes:
        console.print(
            f"Box {escape(box.label)} {box.score:.2f}: "
            f"x {box.x0:.0f}-{box.x1:.0f}, y {box.y0:.0f}-{box.y1:.0f} px"
        )
    if not result.boxes and not final.abstained:
        console.print("No box above the threshold.")
    if result.report:
        console.print(escape(result.report))
    region = result.input.region
    if region is not None and region.source != "whole":
        console.print(
            f"Read: x {region.x0}-{region.x1}, y {region.y0}-{region.y1} of "
            f"{result.input.columns} x {result.input.rows} px ({SOURCE_WORDS[region.source]})."
        )
    for check in result.input.checks:
        if not check.passed:
            console.print(f"Check failed: {escape(check.message)}")
    if (versions := result.versions).precision:
        console.print(f"Weights in {versions.precision}, products in {versions.number_type}.")


def show_report(report: Mapping[str, Any], console: Console | None = None) -> None:
    """Print an evaluation report: a row per system, a column per figure.

    Args:
        report: the content of `report.json`.
        console: where to print; stdout when None.
    """
    console = console or Console()
    console.print(f"{report['task']} {report['split']}: {report['n']} cases")
    systems: Mapping[str, Mapping[str, Any]] = report["systems"]
    names = dict.fromkeys(name for row in systems.values() for name in row)
    figures = [  # tables in tables are for the file
        name
        for name in names
        if not any(isinstance(row.get(name), Mapping) for row in systems.values())
    ]
    table = Table("figure", *(escape(name) for name in systems))
    for figure in figures:
        table.add_row(figure, *(_cell(row.get(figure)) for row in systems.values()))
    console.print(table)


def show_costs(costs: RunCosts, console: Console | None = None) -> None:
    """Print what a run has cost: a row per stage, their sum last.

    Args:
        costs: the content of `costs.json`.
        console: where to print; stdout when None.
    """
    table = Table(*COLUMNS)
    for row in cost_rows(costs):
        table.add_row(*map(escape, row))
    (console or Console()).print(table)


def show_feedback(periods: Sequence[Period], console: Console | None = None) -> None:
    """Print override and harm, a row a month, all months last.

    Args:
        periods: from `by_month`.
        console: where to print; stdout when None.
    """
    names = ("month", "judged", "not followed", "compared", "harm", "help")
    table = Table(*(Column(name, no_wrap=True) for name in names))
    for each in periods:
        table.add_row(
            each.name,
            str(each.num_judged),
            _share(each.num_overridden, each.num_decided),
            str(each.num_compared),
            _share(each.num_harmed, each.num_compared),
            _share(each.num_helped, each.num_compared),
        )
    console = console or Console()
    console.print(table)
    console.print("not followed: of answers that were agreed or disagreed with, those disagreed.")
    console.print("compared: with an own read before the answer, where the diagnosis is known.")
    console.print("harm: a right own read became a wrong one; help: a wrong one became right.")


def _share(part: int, whole: int) -> str:
    """A count of a whole, and in percent; a dash where there is nothing to count."""
    return f"{part} of {whole} ({100 * part / whole:.0f} %)" if whole else "-"


def _candidate_table(result: Result) -> Table:
    """The candidates; where the searches differ, the rank column goes from the other to this."""
    is_compared = result.searches_differ
    rank = f"# (from {OTHER_SEARCH[result.retrieval]})" if is_compared else "#"
    known, read = (Column(name, no_wrap=True, min_width=9) for name in ("known", "read"))
    place, case = Column(rank, min_width=8), Column("case", overflow="fold")
    table = Table(place, case, "weight", "found by", "closer than", known, read, "p")
    for candidate in result.candidates:
        share = candidate.probabilities.get(candidate.prediction or "")
        table.add_row(
            _rank_change(candidate) if is_compared else str(candidate.rank),
            escape(candidate.candidate_id),
            f"{candidate.weight:.2f}",
            " and ".join(candidate.heads),
            less_alike(candidate),
            escape(candidate.label),
            escape(candidate.prediction or "-"),
            "-" if share is None else f"{share:.2f}",
        )
    return table


def _rank_change(candidate: CandidateResult) -> str:
    """Return rank before -> after; a candidate without a rank in the other search is new."""
    before = "new" if candidate.other_rank is None else str(candidate.other_rank)
    return f"{before} -> {candidate.rank}"


def _cell(value: object) -> str:
    """Return a figure for a cell: three decimals, a range with a dash, else a dash."""
    if isinstance(value, list | tuple):
        return " - ".join(_cell(item) for item in value)
    if isinstance(value, float):
        return f"{value:.3f}"
    return "-" if value is None else escape(str(value))


def show_sets(
    described: Sequence[PublicSet],
    here: Mapping[str, SetNote | None],
    console: Console | None = None,
) -> None:
    """Print the public sets that `data get` knows, two lines each.

    Args:
        described: the sets.
        here: name -> what lies in the set's folder; None where it is not there.
        console: where to print; stdout when None.
    """
    console = console or Console()
    for each in described:
        note = here.get(each.name)
        state = f"here, {note.cases} cases" if note else "not here"
        if each.home.kind == "page" and not note:
            state = "not here; fetched by a person, then --from"
        console.print(f"{each.name:<12} {each.about} [{state}]", markup=False, soft_wrap=True)
        terms = f"{'':<12} task {each.task}; licence: {each.licence}"
        console.print(terms, markup=False, soft_wrap=True)


SYSTEM_WORDS = {
    "image_alone": "image alone",
    "knn": "vote of the nearest",
    "no_retrieval": "reader, no similar case",
    "reader": "reader beside similar cases",
    "rag": "all of it, by similarity",
    "joint_reader": "reader, trained search",
    "joint": "all of it, trained search",
}


def show_collection(report: CollectionReport, console: Console | None = None) -> None:
    """Print what a collection's own cases bring.

    Args:
        report: of `index measure` or `index calibrate`.
        console: where to print; stdout when None.
    """
    console = console or Console()
    twins = report.twins
    console.print(
        f"{escape(report.app.index)}: {report.measured} of {report.cases} cases read as queries "
        f"({report.queries}), each beside those of other groups ({twins.groups} groups)."
    )
    console.print(
        f"Near-duplicates: {twins.by_pixels} by pixels, {twins.by_tower} by the bundle's tower; "
        f"{twins.unnamed} stood in another group than theirs and were kept apart here."
    )
    console.print(_systems_table(report.app, "as the app answers now"))
    for point in report.app.curve:
        shown = [
            f"{SYSTEM_WORDS[name]} {point.systems[name].accuracy:.3f}"
            for name in ("knn", "reader", "rag")
            if name in point.systems
        ]
        console.print(f"Beside {point.cases} cases, accuracy: {', '.join(shown)}.")
    if report.fitted is not None:
        console.print(_systems_table(report.fitted, "fitted to other groups of this collection"))
    if report.too_small:
        console.print(escape(f"Nothing was fitted: {report.too_small}."))


def _systems_table(report: EvaluationReport, title: str) -> Table:
    """A row per system of a collection's report."""
    columns = ("system", "accuracy", "95 %", "balanced", "AUROC", "spec. at sens. 0.90", "ECE")
    table = Table(*columns, title=title, title_justify="left")
    for name, figures in report.systems.items():
        low, high = figures.accuracy_ci
        table.add_row(
            SYSTEM_WORDS.get(name, name),
            f"{figures.accuracy:.3f}",
            f"{low:.3f} to {high:.3f}",
            f"{figures.balanced_accuracy:.3f}",
            *("" if each is None else f"{each:.3f}"
              for each in (figures.auroc, figures.specificity_at_90)),
            f"{figures.ece:.3f}",
        )  # fmt: skip
    return table
