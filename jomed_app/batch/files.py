"""Which files are read, and what each is called in what is written: the hash of its content."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from jomed_app.errors import ImageError


@dataclass(frozen=True, slots=True)
class Found:
    """One file: where it lies, and its name below the place that was named."""

    path: Path
    name: str


def find_files(places: Sequence[Path], out: Path) -> list[Found]:
    """Return every file of the places, folders with all below them, in order of their names.

    Hidden files and folders are left out, links to folders are not followed, and nothing is read
    that lies in the folder that is written to.

    Raises:
        ImageError: if a place is not there, or no file is.
    """
    if not all(place.exists() for place in places):
        raise ImageError("IMAGE must be an existing file, found none; check the path")
    own = out.resolve()
    found = [each for place in places for each in _below(place, own)]
    if not found:
        raise ImageError(
            "a folder of images must hold at least one file that is not hidden, found none; "
            "check the path"
        )
    return found


def content_key(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, hex.

    Raises:
        ImageError: if it cannot be read; the file's name is not told.
    """
    failure = ""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:  # its text quotes the file's name
        failure = type(error).__name__
    raise ImageError(f"a readable image file is required, found {failure}; check its permissions")


def _below(place: Path, own: Path) -> Iterator[Found]:
    if place.is_file():
        yield Found(place, place.name)
        return
    for folder, folders, names in os.walk(place):
        here = Path(folder)
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and (here / name).resolve() != own
        )
        if here.resolve() == own:
            continue
        for name in sorted(names):
            path = here / name
            if not name.startswith(".") and path.is_file():
                yield Found(path, path.relative_to(place).as_posix())
