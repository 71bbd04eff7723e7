"""Commands on what the app runs on: indexes and bundles; and the options all commands share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jomed_app.cli.pinned import export_pinned, shown_loading, verify_pinned
from jomed_app.cli.startup import may_ask_the_hub
from jomed_app.errors import BundleError, RecordError

if TYPE_CHECKING:
    from jomed_app.data.records import CaseRecord
    from jomed_app.retrieval.search import CaseEncoder

REPOSITORY = Path(__file__).resolve().parents[2]
DEFAULT_BUNDLE = REPOSITORY / "assets" / "bundle"
DEFAULT_INDEX = REPOSITORY / "index" / "simulated"

index_app = typer.Typer(help="Build, extend or describe an index.", rich_markup_mode=None)
bundle_app = typer.Typer(help="Write, check or describe a bundle.", rich_markup_mode=None)

BundleOption = Annotated[
    Path, typer.Option("--bundle", help="bundle folder, or TOML file that names models")
]
IndexOption = Annotated[Path, typer.Option("--index", help="index folder")]
ServedBundle = Annotated[  # a Space passes no flags
    Path,
    typer.Option("--bundle", envvar="JOMED_BUNDLE", help="bundle folder, or TOML file of models"),
]
ServedIndex = Annotated[Path, typer.Option("--index", envvar="JOMED_INDEX", help="index folder")]
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
    from_dicom: Annotated[
        Path | None, typer.Option("--from-dicom", help="your archive, taken as `data take` does")
    ] = None,
    labels: Annotated[Path | None, typer.Option(help="its table of labels, CSV")] = None,
    key: Annotated[Path | None, typer.Option(help="secret of its pseudonyms")] = None,
    store: Annotated[
        str, typer.Option(help="who keeps the vectors: faiss, milvus:ADDRESS or postgresql://...")
    ] = "faiss",
    search: Annotated[
        str, typer.Option(help="exact, approximate, or auto: approximate above 100,000 cases")
    ] = "auto",
) -> None:
    """Index a corpus with the bundle's frozen encoders."""
    from jomed_app.retrieval.stores.choice import StoreChoice

    kept_in = StoreChoice.parse(store, search)
    if from_dicom is not None:
        if labels is None or key is None or corpus or data:
            raise RecordError(
                "index build --from-dicom requires --labels and --key, and neither --corpus nor "
                "--data, found otherwise; see docs/data.md"
            )
        from jomed_app.cli.archive import take_shown

        corpus = out.with_name(f"{out.name}.cases")
        take_shown(from_dicom, labels, corpus, key, task, source=out.name)
    chosen = corpus or data
    if chosen is None or (corpus and data):
        raise RecordError("index build requires either --corpus or --data; give one of the two")
    from jomed_app.progress import show_progress
    from jomed_app.retrieval.build import build_index

    folder, records, encoder = corpus_and_encoder(chosen, task, split, new_labels, bundle)
    with show_progress("index") as on_progress:
        build_index(
            records, folder, encoder, out, name=out.name, on_progress=on_progress, store=kept_in
        )


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

    folder, records, encoder = corpus_and_encoder(corpus, task, None, new_labels, bundle)
    with show_progress("index") as on_progress:
        add_to_index(index, records, folder, encoder, out=out, on_progress=on_progress)


@index_app.command("info")
def index_info(index: Annotated[Path, typer.Argument(help="index folder")] = DEFAULT_INDEX) -> None:
    """Print an index's manifest as JSON."""
    from jomed_app.retrieval.manifest import read_manifest

    typer.echo(read_manifest(index).model_dump_json(indent=2, exclude={"files"}))


@bundle_app.command("export")
def bundle_export(
    out: OutFolder,
    run: Annotated[Path | None, typer.Option(help="folder that train wrote to")] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="TOML file that names large models"),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="shown on screen; left out, breast-embedded or FILE's name")
    ] = None,
    version: Annotated[
        str | None,
        typer.Option(help="shown on screen; left out, one more than the bundle it replaces"),
    ] = None,
) -> None:
    """Write a sealed bundle from finished training."""
    from jomed_app.storage.bundle import next_version
    from jomed_app.storage.durable import clear_interrupted, require_writable

    require_writable(out.parent)
    clear_interrupted(out)
    if config is not None:
        export_pinned(config, run, out, name or config.stem, version or next_version(out))
        return
    if run is None:
        raise BundleError(
            "bundle export requires --run, a folder that train wrote to, or --config, a file that "
            "names large models, found neither; give one"
        )
    from jomed_app.cli.tables import show_costs
    from jomed_app.progress import show_progress
    from jomed_app.training.export import make_bundle
    from jomed_app.training.run.costs import read_costs, record_costs

    with (
        show_progress("bundle") as shown,
        record_costs(run, "export", shown, adds_up=False) as on_progress,
    ):
        name, version = name or "breast-embedded", version or next_version(out)
        make_bundle(run, out, name=name, version=version, on_progress=on_progress)
    show_costs(read_costs(run))


@bundle_app.command("verify")
def bundle_verify(
    bundle: Annotated[Path, typer.Argument(help="bundle folder")] = DEFAULT_BUNDLE,
    public_key: Annotated[
        Path | None, typer.Option(help="public Ed25519 key, PEM: who must have signed it")
    ] = None,
) -> None:
    """Check every byte of a bundle, and of models that it pins, against its manifest."""
    from jomed_app.storage.bundle import open_bundle
    from jomed_app.storage.signature import check_signature

    signed = "its signature was not looked at (--public-key)"
    if public_key is not None:
        check_signature(bundle, public_key)
        signed = f"signed with the key of '{public_key.name}'"
    opened = open_bundle(bundle, verify=True)
    manifest = opened.manifest
    typer.echo(f"{manifest.name} {manifest.version}: every file matches its hash; {signed}")
    if manifest.pinned:
        verify_pinned(opened)


@bundle_app.command("sign")
def bundle_sign(
    key: Annotated[Path, typer.Option(help="private Ed25519 key, a PEM file")],
    bundle: Annotated[Path, typer.Argument(help="bundle folder")] = DEFAULT_BUNDLE,
) -> None:
    """Check a bundle, then sign its manifest; a key's password stands in JOMED_KEY_PASSWORD."""
    from jomed_app.storage.bundle import open_bundle
    from jomed_app.storage.signature import PASSWORD_VARIABLE, sign_manifest

    open_bundle(bundle, verify=True)
    sign_manifest(bundle, key, os.environ.get(PASSWORD_VARIABLE))


@bundle_app.command("info")
def bundle_info(
    bundle: Annotated[Path, typer.Argument(help="bundle folder")] = DEFAULT_BUNDLE,
) -> None:
    """Print a bundle's manifest as JSON, without hashing its files."""
    from jomed_app.storage.bundle import open_bundle

    manifest = open_bundle(bundle, verify=False).manifest
    left_out: dict[str, Any] = {"files": True, "pinned": {"__all__": {"files"}}}
    typer.echo(manifest.model_dump_json(indent=2, exclude=left_out))


@bundle_app.command("push")
def bundle_push(
    bundle: Annotated[Path, typer.Argument(help="bundle folder")],
    repo: Annotated[str, typer.Argument(help="repository of the Hub, owner/name")],
    public: Annotated[bool, typer.Option("--public", help="everyone may read it")] = False,
) -> None:
    """Send a bundle to a repository of the Hugging Face Hub, private unless told otherwise."""
    may_ask_the_hub()
    from jomed_app.storage.hub import push_bundle

    commit = push_bundle(bundle, repo, public=public)
    typer.echo(f"{repo} holds it as {commit}")


@bundle_app.command("pull")
def bundle_pull(
    repo: Annotated[str, typer.Argument(help="repository of the Hub, owner/name")],
    out: Annotated[Path, typer.Argument(help="folder to write")],
    revision: Annotated[
        str, typer.Option(help="commit; left out, the newest, which is then told")
    ] = "",
) -> None:
    """Fetch a bundle at one commit and check every byte of it."""
    may_ask_the_hub()
    from jomed_app.storage.hub import pull_bundle

    with shown_loading("bundle") as on_load:
        commit = pull_bundle(repo, out, revision, on_load=on_load)
    typer.echo(f"{out.name} is {repo} at {commit}; every file matches its hash")


def listed(text: str | None) -> list[str] | None:
    """Split "a,b,c"; None stays None."""
    return None if text is None else [word.strip() for word in text.split(",") if word.strip()]


def corpus_and_encoder(
    corpus: Path, task: str, split: str | None, new_labels: str | None, bundle: Path
) -> tuple[Path, list[CaseRecord], CaseEncoder]:
    """Read the cases to index and load the encoders that index them."""
    from jomed_app.data.corpus import load_corpus
    from jomed_app.data.tasks import load_task
    from jomed_app.inference.index_labels import widen_task
    from jomed_app.inference.load import load_encoder

    known = load_task(task)
    known = widen_task(known, [*known.labels, *(listed(new_labels) or ())])
    folder = corpus.parent if corpus.is_file() else corpus
    folder, records = load_corpus(known, folder, listed(split) or ())
    return folder, records, load_encoder(bundle)
