"""Commands on public sets: which there are, and getting one."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jomed_app.cli.artifacts import DEFAULT_BUNDLE, ServedBundle, corpus_and_encoder
from jomed_app.cli.startup import may_ask_the_hub
from jomed_app.errors import ConfigError

if TYPE_CHECKING:
    from jomed_app.data.fetch.catalogue import HubHome
    from jomed_app.data.fetch.get import SetNote
    from jomed_app.progress import OnProgress

data_app = typer.Typer(help="List or get public sets of real cases.", rich_markup_mode=None)
DATA_FOLDER = Path("out/data")
IntoOption = Annotated[Path, typer.Option("--into", help="folder of all sets")]


@data_app.command("list")
def data_list(into: IntoOption = DATA_FOLDER) -> None:
    """Print the public sets: what is in each, its licence, whether it is here."""
    from jomed_app.cli.tables import show_sets
    from jomed_app.data.fetch.catalogue import load_set, set_names
    from jomed_app.data.fetch.get import read_note

    described = [load_set(name) for name in set_names()]
    show_sets(described, {each.name: read_note(into / each.name) for each in described})


@data_app.command("get")
def data_get(
    name: Annotated[str, typer.Argument(help="name of a set, or TOML file that describes one")],
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="you have read its terms and accept them")
    ] = False,
    given: Annotated[
        Path | None, typer.Option("--from", help="its archive or folder, where it lies at hand")
    ] = None,
    into: IntoOption = DATA_FOLDER,
    index: Annotated[
        Path | None, typer.Option("--index", help="also index it there, unless that is done")
    ] = None,
    bundle: ServedBundle = DEFAULT_BUNDLE,
) -> None:
    """Get a public set from its official home, or from files at hand, and index it if asked."""
    from jomed_app.data.fetch.catalogue import load_set
    from jomed_app.data.fetch.get import get_set
    from jomed_app.progress import show_progress

    described = load_set(name)
    shown: AbstractContextManager[OnProgress | None] = (
        show_progress(f"get {described.name}, MB") if given is None else nullcontext()
    )
    with shown as on_progress:
        note = get_set(
            described,
            into,
            accepted=accept_licence,
            given=given,
            on_progress=on_progress,
            fetch_hub=_fetch_hub,
        )
    typer.echo(set_in_words(note))
    if index is not None:
        _index_set(note, into / note.name, index, bundle)
        return
    typer.echo(
        f"Index it: index build --task {note.task} --data {into / note.name} "
        f"--out out/index/{note.name}"
    )


@data_app.command("take")
def data_take(
    folder: Annotated[Path, typer.Argument(help="your archive: a folder of DICOM files")],
    labels: Annotated[Path, typer.Option(help="CSV: which label a file, series or patient has")],
    out: Annotated[Path, typer.Option(help="folder of cases to write, or to go on with")],
    key: Annotated[Path, typer.Option(help="secret of the pseudonyms; made where there is none")],
    task: Annotated[str, typer.Option("--task", help="task name or TOML file")] = "breast",
    source: Annotated[str, typer.Option(help="name of the collection, as shown")] = "own archive",
    licence: Annotated[str, typer.Option(help="on which terms cases may be used")] = "in house",
    text: Annotated[str, typer.Option(help="burned-in text: mask, or refuse the picture")] = "mask",
) -> None:
    """Take de-identified cases from a folder of DICOM files; goes on where a run stopped."""
    from jomed_app.cli.archive import take_shown

    take_shown(folder, labels, out, key, task, source=source, licence=licence, text=text)


def _index_set(note: SetNote, folder: Path, out: Path, bundle: Path) -> None:
    """Index a set with the bundle's encoders; an index of both that is there already stays.

    Raises:
        ConfigError: if the bundle answers another task.
    """
    from jomed_app.data.tasks import load_task
    from jomed_app.inference.load import task_of_place
    from jomed_app.progress import show_progress
    from jomed_app.retrieval.build import build_index
    from jomed_app.retrieval.manifest import read_manifest
    from jomed_app.storage.sealing import MANIFEST_FILE

    known = task_of_place(bundle)
    if not set(known.labels) & set(load_task(note.task).labels):
        raise ConfigError(
            f"the cases of {note.title} must be of the bundle's task '{known.name}', found "
            f"'{note.task}'; index them for a bundle of that task, --bundle"
        )
    corpus, records, encoder = corpus_and_encoder(folder, note.task, None, None, bundle)
    if (out / MANIFEST_FILE).is_file():
        there = read_manifest(out)
        if (there.encoder_fingerprint, there.count) == (encoder.fingerprint, len(records)):
            typer.echo(f"{there.name}: indexed already, {there.count} cases.")
            return
    with show_progress("index") as on_progress:
        build_index(records, corpus, encoder, out, name=note.title, on_progress=on_progress)


def set_in_words(note: SetNote) -> str:
    """What was got, in sentences; what was left out and what nobody vouches for among it."""
    said = [f"{note.title}: {note.cases} cases, licence: {note.licence}."]
    if note.twins:
        said.append(f"{note.twins} have a near-duplicate in the set and share a group with it.")
    said += [f"Left out: {count} ({why})." for why, count in note.left_out.items()]
    if unstated := sorted(set(note.sha256) - set(note.stated)):
        said.append(
            f"Nobody states a hash of {', '.join(unstated)}: it was noted, and a later download "
            "must be the same."
        )
    return " ".join(said)


def _fetch_hub(home: HubHome, folder: Path, on_progress: OnProgress | None) -> str:
    may_ask_the_hub()
    from jomed_app.storage.hub import fetch_dataset

    def show(step: str, done: int, total: int) -> None:
        if on_progress is not None:
            on_progress(done // 1_000_000, -(-total // 1_000_000))

    return fetch_dataset(home.repo, folder, home.files, home.revision, on_load=show)
