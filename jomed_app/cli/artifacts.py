"""Commands on what the app runs on: indexes and bundles; and the options all commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jomed_app.errors import RecordError

if TYPE_CHECKING:
    from jomed_app.data.records import CaseRecord
    from jomed_app.models.retriever.embedded import Retriever

REPOSITORY = Path(__file__).resolve().parents[2]
DEFAULT_BUNDLE = REPOSITORY / "assets" / "bundle"
DEFAULT_INDEX = REPOSITORY / "index" / "simulated"

index_app = typer.Typer(help="Build, extend or describe an index.", rich_markup_mode=None)
bundle_app = typer.Typer(help="Write, check or describe a bundle.", rich_markup_mode=None)

BundleOption = Annotated[Path, typer.Option("--bundle", help="bundle folder")]
IndexOption = Annotated[Path, typer.Option("--index", help="index folder")]
PrecisionOption = Annotated[
    str, typer.Option("--precision", help="how weights are held: auto, fp32, bf16, int8 or nf4")
]
TaskOption = Annotated[str, typer.Option("--task", help="task name or TOML file")]
OutFolder = Annotated[Path, typer.Option("--out", help="folder to write")]
NewLabels = Annotated[
    str | None, typer.Option("--new-labels", help="labels that the task does not know, a,b")
]
CorpusOption = Annotated[Path | None, typer.Option("--corpus", help="case records, file or folder")]


@index_app.command("build")
def index_build(
    out: OutFolder,
    corpus: CorpusOption = None,
    data: Annotated[Path | None, typer.Option(help="data folder of a public set")] = None,
    task: TaskOption = "breast",
    split: Annotated[str | None, typer.Option(help="splits to index, a,b; all if left out")] = None,
    new_labels: NewLabels = None,
    bundle: BundleOption = DEFAULT_BUNDLE,
) -> None:
    """Index a corpus with the bundle's frozen encoders."""
    chosen = corpus or data
    if chosen is None or (corpus and data):
        raise RecordError("index build requires either --corpus or --data; give one of the two")
    from jomed_app.progress import show_progress
    from jomed_app.retrieval.build import build_index

    folder, records, encoder = _corpus_and_encoder(chosen, task, split, new_labels, bundle)
    with show_progress("index") as on_progress:
        build_index(records, folder, encoder, out, name=out.name, on_progress=on_progress)


@index_app.command("add")
def index_add(
    index: Annotated[Path, typer.Argument(help="index folder to extend")],
    corpus: Annotated[Path, typer.Option(help="case records to add, file or folder")],
    task: TaskOption = "breast",
    new_labels: NewLabels = None,
    bundle: BundleOption = DEFAULT_BUNDLE,
    out: Annotated[Path | None, typer.Option(help="new folder; INDEX itself if left out")] = None,
) -> None:
    """Add cases to an index; only the new ones are encoded."""
    from jomed_app.progress import show_progress
    from jomed_app.retrieval.build import add_to_index

    folder, records, encoder = _corpus_and_encoder(corpus, task, None, new_labels, bundle)
    with show_progress("index") as on_progress:
        add_to_index(index, records, folder, encoder, out=out, on_progress=on_progress)


@index_app.command("info")
def index_info(index: Annotated[Path, typer.Argument(help="index folder")] = DEFAULT_INDEX) -> None:
    """Print an index's manifest as JSON."""
    from jomed_app.retrieval.manifest import read_manifest

    typer.echo(read_manifest(index).model_dump_json(indent=2, exclude={"files"}))


@bundle_app.command("export")
def bundle_export(
    run: Annotated[Path, typer.Option(help="folder that train wrote to")],
    out: OutFolder,
    name: Annotated[str, typer.Option(help="shown on screen")] = "breast-embedded",
    version: Annotated[
        str | None,
        typer.Option(help="shown on screen; left out, one more than the bundle it replaces"),
    ] = None,
) -> None:
    """Write a sealed bundle from finished training."""
    from jomed_app.cli.tables import show_costs
    from jomed_app.progress import show_progress
    from jomed_app.storage.bundle import next_version
    from jomed_app.training.export import make_bundle
    from jomed_app.training.run.costs import read_costs, record_costs

    with (
        show_progress("bundle") as shown,
        record_costs(run, "export", shown, adds_up=False) as on_progress,
    ):
        version = version or next_version(out)
        make_bundle(run, out, name=name, version=version, on_progress=on_progress)
    show_costs(read_costs(run))


@bundle_app.command("verify")
def bundle_verify(
    bundle: Annotated[Path, typer.Argument(help="bundle folder")] = DEFAULT_BUNDLE,
) -> None:
    """Check every byte of a bundle against its manifest."""
    from jomed_app.storage.bundle import open_bundle

    opened = open_bundle(bundle, verify=True)
    typer.echo(f"{opened.manifest.name} {opened.manifest.version}: every file matches its hash")


@bundle_app.command("info")
def bundle_info(
    bundle: Annotated[Path, typer.Argument(help="bundle folder")] = DEFAULT_BUNDLE,
) -> None:
    """Print a bundle's manifest as JSON, without hashing its files."""
    from jomed_app.storage.bundle import open_bundle

    manifest = open_bundle(bundle, verify=False).manifest
    typer.echo(manifest.model_dump_json(indent=2, exclude={"files"}))


def listed(text: str | None) -> list[str] | None:
    """Split "a,b,c"; None stays None."""
    return None if text is None else [word.strip() for word in text.split(",") if word.strip()]


def _corpus_and_encoder(
    corpus: Path, task: str, split: str | None, new_labels: str | None, bundle: Path
) -> tuple[Path, list[CaseRecord], Retriever]:
    """Read the cases to index and load the encoders that index them."""
    from jomed_app.data.corpus import load_corpus
    from jomed_app.data.tasks import load_task
    from jomed_app.inference.index_labels import widen_task
    from jomed_app.models.retriever.embedded import load_retriever
    from jomed_app.storage.bundle import open_bundle

    known = load_task(task)
    known = widen_task(known, [*known.labels, *(listed(new_labels) or ())])
    folder = corpus.parent if corpus.is_file() else corpus
    folder, records = load_corpus(known, folder, listed(split) or ())
    return folder, records, load_retriever(open_bundle(bundle).path / "retriever")
