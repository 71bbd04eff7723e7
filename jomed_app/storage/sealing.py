"""Sealed folders: a manifest that holds the hash of every file beside it, and of itself.

Indexes and bundles share this. One flipped byte in any file, the manifest included, is found.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from pathlib import Path, PurePosixPath
from typing import Any, Self, TypeVar

from pydantic import Field, ValidationError, field_validator

from jomed_app.errors import first_fault
from jomed_app.types import Frozen

MANIFEST_FILE = "manifest.json"
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


def hash_file(path: Path) -> FileEntry:
    """Return SHA-256 and size of a file, read in pieces of 1 MiB."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return FileEntry(sha256=digest.hexdigest(), size=size)


def hash_folder(folder: Path) -> dict[str, FileEntry]:
    """Return path -> entry of every file below a folder, sorted, its manifest left out."""
    return {name: hash_file(folder / name) for name in _file_names(folder)}


def write_sealed(folder: Path, manifest: ManifestType) -> ManifestType:
    """Seal a manifest, write it beside its files in one step, and return it.

    Raises:
        ValueError: if a number in it is not finite.
    """
    sealed = manifest.sealed()
    partial = folder.parent / f".{MANIFEST_FILE}.{uuid.uuid4().hex[:8]}"
    partial.write_text(sealed.to_text(), encoding="utf-8")
    os.replace(partial, folder / MANIFEST_FILE)
    return sealed


def read_sealed(
    folder: Path, manifest_type: type[ManifestType], *, format_version: int
) -> ManifestType:
    """Read a manifest and check its version, schema and seal; the files are not looked at.

    Raises:
        SealError: if it is missing, unreadable, of another version, or was altered.
    """
    path = folder / MANIFEST_FILE
    if not path.is_file():
        raise SealError(f"file '{MANIFEST_FILE}' is missing")
    try:
        text = path.read_bytes().decode("utf-8")
        content = json.loads(text)
    except ValueError as error:
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
        SealError: naming the first file that is missing, extra or altered.
    """
    present = set(_file_names(folder))
    for name in sorted(files.keys() - present):
        raise SealError(f"file '{name}' is missing")
    for name in sorted(present - files.keys()):
        raise SealError(f"file '{name}' is not in the manifest")
    if not hashes:
        return
    for name, expected in sorted(files.items()):
        found = hash_file(folder / name)
        if found != expected:
            raise SealError(
                f"file '{name}' was altered, expected sha256 {expected.sha256[:12]} "
                f"({expected.size} bytes), found {found.sha256[:12]} ({found.size} bytes)"
            )


def _file_names(folder: Path) -> list[str]:
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in names if name != MANIFEST_FILE)
