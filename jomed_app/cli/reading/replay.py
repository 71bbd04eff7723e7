"""`replay`: exports again, from a saved result and the picture it is of."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jomed_app.errors import ConfigError, RecordError
from jomed_app.storage.durable import require_writable

replay_app = typer.Typer(rich_markup_mode=None)
KeepStudy = Annotated[
    bool,
    typer.Option("--keep-study", help="DICOM exports into the source's study; names its patient"),
]


@replay_app.command()
def replay(
    result: Annotated[Path, typer.Argument(help="a saved result, JSON")],
    out: Annotated[Path, typer.Option(help="folder for the exports")],
    image: Annotated[Path | None, typer.Option(help="the image file that the result is of")] = None,
    export: Annotated[str, typer.Option(help="json,pdf,png,csv,sr,sc,dicom-pdf; all")] = "all",
    keep_study: KeepStudy = False,
) -> None:
    """Make exports again from a saved result, or name what differs; no model runs."""
    from jomed_app.export.kinds import KINDS, parse_kinds, require_dicom
    from jomed_app.export.saved import read_saved

    kinds = parse_kinds(export)
    saved = read_saved(result)
    if image is None and any(KINDS[kind].shows_picture for kind in kinds):
        raise ConfigError(
            "replay requires the picture for all exports but json and csv, found none; "
            "add --image FILE or --export json,csv"
        )
    if keep_study and image is None:
        raise ConfigError("--keep-study requires --image FILE, found none; add it")
    if keep_study:
        require_dicom(kinds)
    require_writable(out)
    from jomed_app.export.dicom.study import read_study
    from jomed_app.export.replay import open_picture, version_words, write_again

    record = None if image is None else open_picture(saved, image)
    study = read_study(image) if keep_study and image is not None else None
    done = write_again(saved, record, kinds, out, study)
    note = version_words(saved)
    for name in done.written:
        typer.echo(f"written: {name}")
    for name in done.same:
        typer.echo(f"the same: {name}")
    if done.different:
        raise RecordError(
            f"exports must be as they were, found other bytes in {', '.join(done.different)}, "
            f"which were left as they are; {f'{note} ' if note else ''}name another --out"
        )
    if note:
        typer.echo(note)
