"""Commands on an index of one's own cases: what they bring, and a profile fitted to them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jomed_app.cli.artifacts import DEFAULT_BUNDLE, BundleOption, index_app
from jomed_app.storage.durable import require_writable

if TYPE_CHECKING:
    from jomed_app.evaluation.collection.measure import CollectionReport

__all__ = ["index_app"]  # with the commands below in it
MOST = 400

IndexArgument = Annotated[Path, typer.Argument(help="index folder of your cases")]
OriginalsOption = Annotated[
    Path | None,
    typer.Option("--data", help="what was indexed: queries are then files, not thumbnails"),
]
CasesOption = Annotated[int, typer.Option("--cases", min=2, help="cases read as queries, at most")]
ReportOption = Annotated[Path | None, typer.Option("--out", help="report file to write, JSON")]


@index_app.command("measure")
def index_measure(
    index: IndexArgument,
    data: OriginalsOption = None,
    task: Annotated[str, typer.Option("--task", help="task; the bundle's own if left out")] = "",
    bundle: BundleOption = DEFAULT_BUNDLE,
    cases: CasesOption = MOST,
    out: ReportOption = None,
) -> None:
    """Read an index's own cases, each beside those of other groups, and say what they bring."""
    from jomed_app.evaluation.collection.measure import measure_collection, open_collection
    from jomed_app.progress import show_progress

    if out is not None:
        require_writable(out.parent)
    opened = open_collection(index, bundle, task_name=task, data=data)
    with show_progress("index measure") as on_progress:
        report = measure_collection(opened, most=cases, on_progress=on_progress)
    _show(report, out)


@index_app.command("calibrate")
def index_calibrate(
    index: IndexArgument,
    data: OriginalsOption = None,
    bundle: BundleOption = DEFAULT_BUNDLE,
    cases: CasesOption = MOST,
    out: ReportOption = None,
) -> None:
    """Fit a profile to an index's own cases; the page then says that it was measured on them."""
    from jomed_app.evaluation.collection.measure import calibrate_collection, open_collection
    from jomed_app.progress import show_progress

    require_writable(index)
    if out is not None:
        require_writable(out.parent)
    opened = open_collection(index, bundle, data=data)
    with show_progress("index calibrate") as on_progress:
        report = calibrate_collection(opened, most=cases, on_progress=on_progress)
    _show(report, out)
    typer.echo("Kept in the index. It holds for these cases and this bundle alone.")


def _show(report: CollectionReport, out: Path | None) -> None:
    from jomed_app.cli.tables import show_collection
    from jomed_app.evaluation.report.schema import write_report

    if out is not None:
        write_report(report, out)
    show_collection(report)
