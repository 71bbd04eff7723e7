"""A public set from its home, or from what lies at hand, to a folder that the app reads.

Order: the licence is accepted, files come (resumed, their hashes compared), archives are unpacked
where they cannot do harm, the layout's reader writes cases, twins are grouped, and the folder takes
its place in one step beside a note of where everything came from.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from pydantic import Field, ValidationError

from jomed_app.data.fetch.catalogue import HubHome, PageHome, PublicSet
from jomed_app.data.fetch.homes import list_files
from jomed_app.data.fetch.https import Downloader, Wanted, check_file
from jomed_app.data.fetch.layouts.busi import write_busi
from jomed_app.data.fetch.layouts.ham10000 import write_ham10000
from jomed_app.data.fetch.layouts.kvasir import write_kvasir
from jomed_app.data.fetch.layouts.medmnist import write_medmnist
from jomed_app.data.fetch.layouts.medpix import write_medpix
from jomed_app.data.fetch.layouts.roco import write_roco
from jomed_app.data.fetch.layouts.slake import write_slake
from jomed_app.data.fetch.layouts.table import write_table
from jomed_app.data.fetch.layouts.vqa_rad import write_vqa_rad
from jomed_app.data.fetch.layouts.written import Written
from jomed_app.data.fetch.unpack import Published, open_published
from jomed_app.errors import ConfigError, FetchError
from jomed_app.progress import OnProgress
from jomed_app.storage.durable import clear_interrupted, require_writable, whole_folder, write_file
from jomed_app.types import Frozen

ABOUT_FILE = "about.json"
DOWNLOADS = ".downloads"
MEGABYTE = 1_000_000
# A layout -> what understands the files as published and writes what the app reads.
LAYOUTS: dict[str, Callable[[Published, Path, PublicSet], Written]] = {
    "busi": write_busi,
    "ham10000": write_ham10000,
    "kvasir": write_kvasir,
    "medmnist": write_medmnist,
    "medpix": write_medpix,
    "roco": write_roco,
    "slake": write_slake,
    "table": write_table,
    "vqa_rad": write_vqa_rad,
}


class SetNote(Frozen):
    """What lies in a set's folder and where it came from.

    Attributes:
        name, title, task, licence, page: of the description.
        accepted_at: when the licence was accepted, UTC.
        source: "home", or "files at hand" for `--from`.
        revision: commit of the Hub; empty elsewhere.
        sha256: file -> hash of what was fetched; empty for files at hand.
        stated: files of them whose size or hash their publisher states.
        cases: images with what is known of them.
        twins: of them with a near-duplicate in the set; None where the reader looks for them.
        left_out: why -> how many.
    """

    name: str
    title: str
    task: str
    licence: str
    page: str
    accepted_at: datetime
    source: str
    revision: str = ""
    sha256: dict[str, str] = Field(default_factory=dict)
    stated: tuple[str, ...] = ()
    cases: int = Field(gt=0)
    twins: int | None = None
    left_out: dict[str, int] = Field(default_factory=dict)


def get_set(
    described: PublicSet,
    into: Path,
    *,
    accepted: bool,
    given: Path | None = None,
    on_progress: OnProgress | None = None,
    web: Downloader | None = None,
    fetch_hub: Callable[[HubHome, Path, OnProgress | None], str] | None = None,
) -> SetNote:
    """Get a public set and write what the app reads of it into `into/NAME`.

    Args:
        described: the set.
        into: folder of all sets.
        accepted: whether the user accepts its licence.
        given: its archive or folder, where it lies at hand; None asks its home.
        on_progress: told of megabytes that came.
        web: asks homes on the web; None makes one.
        fetch_hub: asks the Hub; given by whoever may.

    Returns:
        What was written; an earlier run's note where the set is there already.

    Raises:
        ConfigError: if the licence is not accepted, or the description needs mending.
        FetchError: if the set cannot be had, or is not what was published.
        StorageError: if there is no room or no permission.
    """
    layout = LAYOUTS.get(described.layout)
    if layout is None:
        raise ConfigError(
            f"a set's layout must be one of {sorted(LAYOUTS)}, found '{described.layout}'"
        )
    if not accepted:
        raise ConfigError(
            f"{described.title} is published under these terms: {described.licence} "
            f"({described.page}). Read them, and add --accept-licence if you accept them"
        )
    out = into / described.name
    clear_interrupted(out)
    if (kept := read_note(out)) is not None:
        return kept
    if out.exists():
        raise ConfigError(
            f"'{described.name}' must not be there yet, or hold a set that was fetched whole, "
            "found another folder; give --into or rename it"
        )
    require_writable(into)
    downloads = into / DOWNLOADS / described.name
    with whole_folder(out) as folder:
        scratch = folder / ".unpacked"
        hashes: dict[str, str] = {}
        stated: tuple[str, ...] = ()
        revision = ""
        if given is None and isinstance(described.home, HubHome):
            if fetch_hub is None:
                raise ConfigError("the Hub was not to be asked; give --from")
            revision = fetch_hub(described.home, downloads, on_progress)
            hashes = _hash_all(downloads)
            _compare_with_first(into, described, hashes)
        elif given is None:
            hashes, stated = _fetch(described, downloads, on_progress, web)
            _compare_with_first(into, described, hashes)
        found = open_published(given if given is not None else downloads, scratch)
        written = layout(found, folder, described)
        shutil.rmtree(scratch, ignore_errors=True)
        note = SetNote(
            **described.model_dump(include={"name", "title", "task", "licence", "page"}),
            accepted_at=datetime.now(UTC).replace(microsecond=0),
            source="home" if given is None else "files at hand",
            revision=revision,
            sha256=hashes,
            stated=stated,
            cases=written.cases,
            twins=written.twins,
            left_out=dict(written.left_out),
        )
        write_file(folder / ABOUT_FILE, note.model_dump_json(indent=2) + "\n")
    shutil.rmtree(downloads, ignore_errors=True)
    return note


def read_note(folder: Path) -> SetNote | None:
    """Read what a set's folder says of itself; None where it is no such folder."""
    try:
        return SetNote.model_validate_json((folder / ABOUT_FILE).read_bytes())
    except (OSError, ValidationError):
        return None


def _fetch(
    described: PublicSet, downloads: Path, on_progress: OnProgress | None, web: Downloader | None
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Fetch a set's files; return their hashes, and which of them their publisher states."""
    home = described.home
    if isinstance(home, PageHome | HubHome):
        raise FetchError(
            f"{described.title} must be fetched by a person from {described.page}; then give "
            "--from FILE_OR_FOLDER"
        )
    with web or Downloader() as asked:
        listed = list_files(home, asked)
        total = sum(each.size or 0 for each in listed)
        hashes, before = {}, 0
        for each in listed:

            def show(done: int, length: int, before: int = before) -> None:
                if on_progress is not None:
                    whole = max(total, before + max(done, length))
                    on_progress((before + done) // MEGABYTE, -(-whole // MEGABYTE))

            hashes[each.name] = asked.fetch(each, downloads, show)
            before += (downloads / each.name).stat().st_size
    return hashes, tuple(each.name for each in listed if each.sha256 or each.md5)


def _compare_with_first(into: Path, described: PublicSet, hashes: dict[str, str]) -> None:
    """Note hashes at the first download; later ones must be the same.

    Raises:
        FetchError: if a file is another than at the first download.
    """
    path = into / DOWNLOADS / f"{described.name}.sha256.json"
    try:
        first = json.loads(path.read_bytes()) if path.is_file() else {}
    except ValueError:
        first = {}
    for name, sha256 in hashes.items():
        if first.get(name, sha256) != sha256:
            raise FetchError(
                f"'{name}' must be the file of the first download, found another; its publisher "
                f"has a new version, or somebody else sent it: to take it, remove '{path.name}'"
            )
    write_file(path, json.dumps(first | hashes, indent=2, sort_keys=True) + "\n")


def _hash_all(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): check_file(path, Wanted(path.name, ""))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".cache" not in path.parts
    }
