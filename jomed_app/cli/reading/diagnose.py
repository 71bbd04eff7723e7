"""`diagnose`: one image answered on the screen, or many into a folder."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jomed_app.cli.artifacts import (
    DEFAULT_BUNDLE,
    DEFAULT_INDEX,
    BundleOption,
    IndexOption,
    PrecisionOption,
)
from jomed_app.cli.pinned import LARGE, shown_loading
from jomed_app.cli.reading.replay import KeepStudy
from jomed_app.errors import ConfigError, ImageError
from jomed_app.storage.durable import require_writable, write_file

if TYPE_CHECKING:
    from jomed_app.batch.settings import BatchSettings
    from jomed_app.inference.engine import Engine
    from jomed_app.types import Result, Retrieval

diagnose_app = typer.Typer(rich_markup_mode=None)


@diagnose_app.command()
def diagnose(
    images: Annotated[
        list[Path],
        typer.Argument(metavar="IMAGE...", help="DICOM, PNG, JPEG or TIFF files, or folders"),
    ],
    question: Annotated[str | None, typer.Option(help="asked instead of the task's own")] = None,
    bundle: BundleOption = DEFAULT_BUNDLE,
    index: IndexOption = DEFAULT_INDEX,
    k: Annotated[int | None, typer.Option("--k", min=1, help="candidates to read")] = None,
    standard: Annotated[
        bool | None,
        typer.Option("--standard/--joint", help="the search: similarity alone, or trained"),
    ] = None,
    region: Annotated[
        str, typer.Option(help="part to read: found, whole, or x0,y0,x1,y1 in px of the file")
    ] = "found",
    invert: Annotated[
        bool, typer.Option("--invert", help="exchange black and white before reading")
    ] = False,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="go past a check that asks, for research")
    ] = False,
    precision: PrecisionOption = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="print the result as JSON only")] = False,
    out: Annotated[
        Path | None, typer.Option(help="folder for the result, of many images for all that is made")
    ] = None,
    export: Annotated[
        str | None, typer.Option(help="also json,pdf,png,csv,sr,sc,dicom-pdf or all, into --out")
    ] = None,
    keep_study: KeepStudy = False,
    workers: Annotated[int, typer.Option(min=1, help="processes, of many images")] = 1,
    names: Annotated[
        bool, typer.Option("--names", help="keep file names in the tables of many images")
    ] = False,
) -> None:
    """Diagnose an image from its most similar cases; several, or folders, into tables."""
    if not all(image.exists() for image in images):
        raise ImageError("IMAGE must be an existing file, found none; check the path")
    from jomed_app.export.kinds import parse_kinds, require_dicom

    kinds = parse_kinds(export)
    if kinds and out is None:
        raise ConfigError("--export requires --out DIR, found none; add it")
    if keep_study:
        require_dicom(kinds)
    if out is not None:
        require_writable(out)
    from jomed_app.batch.settings import BatchSettings
    from jomed_app.imaging.content.region import parse_region

    searches: dict[bool | None, Retrieval] = {True: "standard", False: "joint"}
    settings = BatchSettings(
        question=question,
        k=k,
        retrieval=searches.get(standard),
        region=parse_region(region),
        invert=invert,
        anyway=anyway,
        keep_study=keep_study,
    )
    if len(images) > 1 or images[0].is_dir():
        if out is None or as_json:
            raise ConfigError(
                "many images require --out DIR and no --json, found otherwise; the tables and a "
                "JSON file a case are written there"
            )
        _diagnose_many(images, settings, kinds, bundle, index, precision, out, workers, names)
        return
    result = _diagnose_one(images[0], settings, kinds, bundle, index, precision, out)
    text = result.model_dump_json(by_alias=True)
    if out is not None:
        write_file(out / "result.json", text + "\n")
    if as_json:
        typer.echo(text)
        return
    from jomed_app.cli.tables import show_result

    show_result(result)


def _diagnose_one(
    image: Path,
    settings: BatchSettings,
    kinds: Sequence[str],
    bundle: Path,
    index: Path,
    precision: str,
    out: Path | None,
) -> Result:
    """Read one image and write its exports; what libraries print goes to stderr."""
    from jomed_app.export.dicom.study import read_study
    from jomed_app.imaging import turned_over
    from jomed_app.imaging.decoder import read_untrusted

    with contextlib.redirect_stdout(sys.stderr):
        record = read_untrusted(image, region=settings.region)  # before the engine: refused at once
        record = turned_over(record) if settings.invert else record
        study = read_study(image) if settings.keep_study else None
        engine = _load(bundle, index, precision)
        from jomed_app.batch.reading import answer

        result = answer(engine, record, settings)
        if kinds and out is not None:
            from jomed_app.export.kinds import KINDS
            from jomed_app.export.kinds import export as make
            from jomed_app.export.replay import STEM
            from jomed_app.export.saved import saved

            kept = saved(result, record, engine.info.hashes)
            for kind in kinds:
                content = make(kind, kept, record, study)
                write_file(out / f"{STEM}{KINDS[kind].suffix}", content)
    return result


def _load(bundle: Path, index: Path, precision: str) -> Engine:
    """Load the engine and say whether images leave the machine."""
    from jomed_app.inference.load import load_engine

    with shown_loading("load", least=LARGE) as on_load:
        engine = load_engine(bundle, index, precision=precision, on_load=on_load)
    _say_if_it_leaves(engine.info.sent_to)
    return engine


def _say_if_it_leaves(machine: str) -> None:
    from jomed_app.ui.text import LEAVES

    if machine:
        typer.echo(LEAVES.format(machine=machine), err=True)


def _diagnose_many(
    images: Sequence[Path],
    settings: BatchSettings,
    kinds: tuple[str, ...],
    bundle: Path,
    index: Path,
    precision: str,
    out: Path,
    workers: int,
    keeps_names: bool,
) -> None:
    """Read files and folders into a folder and say what came of it."""
    from jomed_app.batch.run import run_batch
    from jomed_app.batch.workers import Work
    from jomed_app.progress import show_progress

    threads = max(1, (os.cpu_count() or 1) // workers) if workers > 1 else None
    work = Work(bundle, index, precision, settings, kinds, out, threads)
    with (
        contextlib.redirect_stdout(sys.stderr),
        show_progress("diagnose", out / "diagnose.log") as on_progress,
    ):
        done = run_batch(
            images,
            work,
            workers=workers,
            keeps_names=keeps_names,
            on_progress=on_progress,
            on_leaving=_say_if_it_leaves,
        )
    new = done.num_files - done.num_done_before
    rate = f", {new / done.seconds:.2f} a second" if new and done.seconds > 0 else ""
    typer.echo(
        f"{done.num_files} files, {done.num_done_before} done before{rate}; {done.num_rows} rows "
        f"in results.csv and results.parquet, {done.num_failed} of them without a result"
    )
    if done.num_failed == done.num_rows:
        raise ImageError(
            "at least one image must be readable, found none; the column 'error' of results.csv "
            "says why of each"
        )
