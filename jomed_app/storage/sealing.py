"""Sealed folders: a manifest that holds the hash of every file beside it, and of itself.

Indexes and bundles share this. One flipped byte in any file, the manifest included, is found. It
is no signature: who can write to the folder can seal it anew (`storage.signature`).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any, Self, TypeVar

from pydantic import Field, ValidationError, field_validator

from jomed_app.errors import first_fault
from jomed_app.storage.durable import write_file
from jomed_app.types import Frozen

MANIFEST_FILE = "manifest.json"
SIGNATURE_FILE = "manifest.json.sig"  # may lie beside the manifest; see `storage.signature`
NOT_SEALED = (MANIFEST_FILE, SIGNATURE_FILE)
_CHUNK_BYTES = 1 << 20


class SealError(Exception):
    """A folder does not match its manifest; the text is a clause the caller builds on."""


class FileEntry(Frozen):
    """One file as it was when the manifest was written: hex SHA-256 and size in bytes."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size: int = Field(ge=0, description="bytes")


class SealedManifest(Frozen):
    """Base of the manifests: a format version, the files and a seal over all of it."""

    format_version: int
    files: dict[str, FileEntry] = Field(description="POSIX path inside the folder -> hash, size")
    seal: str = Field(default="", description="SHA-256 of this manifest with an empty seal, hex")

    @field_validator("files")
    @classmethod
    def _paths_stay_inside(cls, value: dict[str, FileEntry]) -> dict[str, FileEntry]:
        for name in value:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or not path.parts:
                raise ValueError(f"file paths must stay inside the folder, found '{name}'")
        return value

    @property
    def total_size(self) -> int:
        """Bytes of all listed files together, the manifest itself not counted."""
        return sum(entry.size for entry in self.files.values())

    def sealed(self) -> Self:
        """Return a copy whose seal fits its content."""
        return self.model_copy(update={"seal": self._content_hash()})

    def is_sealed(self) -> bool:
        """Whether the seal fits the content."""
        return self.seal == self._content_hash()

    def to_text(self) -> str:
        """The one JSON text of this manifest: sorted keys, finite numbers only."""
        return _canonical(self.model_dump(mode="json"))

    def _content_hash(self) -> str:
        content = self.model_dump(mode="json") | {"seal": ""}
        return hashlib.sha256(_canonical(content).encode()).hexdigest()


ManifestType = TypeVar("ManifestType", bound=SealedManifest)


def _canonical(content: dict[str, Any]) -> str:
    return json.dumps(content, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def hash_file(path: Path, on_bytes: Callable[[int], None] | None = None) -> FileEntry:
    """Return SHA-256 and size of a file, read in pieces of 1 MiB.

    Args:
        path: of the file.
        on_bytes: called with the size of every piece that was read.
    """
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
            if on_bytes is not None:
                on_bytes(len(chunk))
    return FileEntry(sha256=digest.hexdigest(), size=size)


def hash_folder(folder: Path) -> dict[str, FileEntry]:
    """Return path -> entry of every file below a folder, sorted, its manifest left out."""
    return {name: hash_file(folder / name) for name in _file_names(folder)}


def write_sealed(folder: Path, manifest: ManifestType) -> ManifestType:
    """Seal a manifest, write it beside its files in one step, and return it.

    Raises:
        ValueError: if a number in it is not finite.
        StorageError: if it cannot be written.
    """
    sealed = manifest.sealed()
    write_file(folder / MANIFEST_FILE, sealed.to_text())
    (folder / SIGNATURE_FILE).unlink(missing_ok=True)  # it was that of another manifest
    return sealed


def read_sealed(
    folder: Path, manifest_type: type[ManifestType], *, format_version: int
) -> ManifestType:
    """Read a manifest and check its version, schema and seal; the files are not looked at.

    Raises:
        SealError: if it is missing, unreadable, of another version, or was altered.
    """
    path = folder / MANIFEST_FILE
    if not path.is_file() or path.is_symlink():
        raise SealError(f"file '{MANIFEST_FILE}' is missing")
    try:
        text = path.read_bytes().decode("utf-8")
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SealError(f"file '{MANIFEST_FILE}' is not readable JSON") from error
    found = content.get("format_version") if isinstance(content, dict) else None
    if found != format_version:
        raise SealError(f"format version must be {format_version}, found {found!r}")
    try:
        manifest = manifest_type.model_validate_json(text)
    except ValidationError as error:
        raise SealError(
            f"file '{MANIFEST_FILE}' breaks its schema at {first_fault(error, 'file')}"
        ) from error
    if not manifest.is_sealed() or manifest.to_text() != text:
        raise SealError(f"file '{MANIFEST_FILE}' was altered, its seal does not fit")
    return manifest


def check_files(folder: Path, files: dict[str, FileEntry], *, hashes: bool = True) -> None:
    """Check that a folder holds exactly these files; with `hashes`, bit for bit.

    Raises:
        SealError: naming the first file that is missing, extra or altered, or that is none: a link
            leads outside of what was sealed, and a pipe never ends.
    """
    present = set(_file_names(folder))
    for name in sorted(files.keys() - present):
        raise SealError(f"file '{name}' is missing")
    for name in sorted(present - files.keys()):
        raise SealError(f"file '{name}' is not in the manifest")
    if not hashes:
        return
    for name, expected in sorted(files.items()):
        _require_same(name, hash_file(folder / name), expected)


def read_checked(folder: Path, name: str, files: dict[str, FileEntry]) -> bytes:
    """Return the bytes of a file once their own hash was found to be the manifest's.

    For readers that trust what they get: nothing can change between the check and the use.

    Raises:
        SealError: if the file is missing or altered.
    """
    if name not in files or not (folder / name).is_file():
        raise SealError(f"file '{name}' is missing")
    content = (folder / name).read_bytes()
    found = FileEntry(sha256=hashlib.sha256(content).hexdigest(), size=len(content))
    _require_same(name, found, files[name])
    return content


def _require_same(name: str, found: FileEntry, expected: FileEntry) -> None:
    if found != expected:
        raise SealError(
            f"file '{name}' was altered, expected sha256 {expected.sha256[:12]} "
            f"({expected.size} bytes), found {found.sha256[:12]} ({found.size} bytes)"
        )


def _file_names(folder: Path) -> list[str]:
    """Names of all files below a folder but of what seals it; anything that is none is refused."""
    names = []
    for place, folders, files in os.walk(folder):
        for path in (Path(place) / name for name in (*folders, *files)):
            name = path.relative_to(folder).as_posix()
            if path.is_symlink() or not (path.is_dir() or path.is_file()):
                raise SealError(f"'{name}' must be a file or a folder, found a link or a device")
            if path.is_file() and name not in NOT_SEALED:
                names.append(name)
    return sorted(names)
