"""The commands of a file of judgements: its training records, and what it says over time."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

feedback_app = typer.Typer(help="Readers' judgements, where [app.feedback] keeps them.")
FileArgument = Annotated[Path, typer.Argument(help="file that [app.feedback] names")]


class Form(StrEnum):
    """How records are written."""

    CSV = "csv"
    JSONL = "jsonl"


@feedback_app.command()
def export(
    file: FileArgument,
    out: Annotated[Path, typer.Option(help="file to write")],
    form: Annotated[Form, typer.Option("--as", help="csv, or jsonl with every mark")] = Form.JSONL,
) -> None:
    """Write judgements as training records, one a reading."""
    from jomed_app.feedback.records import as_csv, as_jsonl
    from jomed_app.feedback.store import read_judgements
    from jomed_app.storage.durable import write_file

    found = read_judgements(file)
    write_file(out, as_csv(found) if form is Form.CSV else as_jsonl(found))
    typer.echo(f"{len(found)} judgements written")


@feedback_app.command()
def report(file: FileArgument) -> None:
    """Print how often answers were not followed, and did harm, month by month."""
    from jomed_app.cli.tables import show_feedback
    from jomed_app.feedback.records import by_month
    from jomed_app.feedback.store import read_judgements

    show_feedback(by_month(read_judgements(file)))
