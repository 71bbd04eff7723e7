"""Taking an archive and saying what became of it, for the two commands that do."""

from __future__ import annotations

from pathlib import Path

import typer

from jomed_app.errors import ConfigError


def take_shown(
    folder: Path,
    labels: Path,
    out: Path,
    key: Path,
    task: str,
    *,
    source: str = "own archive",
    licence: str = "in house",
    text: str = "mask",
) -> None:
    """Take de-identified cases from a folder of DICOM files and print what became of it.

    Args:
        folder: of DICOM files.
        labels: table of labels, CSV.
        out: folder of cases.
        key: file of the secret.
        task: name or TOML file.
        source: name of the collection, as shown.
        licence: on which terms the cases may be used.
        text: mask, or refuse.

    Raises:
        ConfigError: if `text` is no policy.
        JomedError: as `take_archive`.
    """
    from jomed_app.data.archive.take import TextPolicy, take_archive
    from jomed_app.data.tasks import load_task
    from jomed_app.progress import show_progress

    if text not in list(TextPolicy):
        raise ConfigError(f"--text must be one of {[*map(str, TextPolicy)]}, found '{text}'")
    with show_progress("take") as on_progress:
        report = take_archive(
            folder,
            labels,
            out,
            load_task(task),
            key_file=key,
            source=source,
            licence=licence,
            text=TextPolicy(text),
            on_progress=on_progress,
        )
    typer.echo(
        f"{report.cases} cases of {report.patients} patients from {report.files} files; burned-in "
        f"text masked in {report.masked}. Look through them before anybody else does."
    )
    for why, count in report.left_out.items():
        typer.echo(f"Left out: {count} ({why}).")
