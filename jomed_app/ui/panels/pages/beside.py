"""Other collections that lie where collections are built, and the command that starts with each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jomed_app.errors import IndexMismatchError
from jomed_app.retrieval.manifest import read_manifest
from jomed_app.storage.sealing import MANIFEST_FILE

PLACES = ("index", "out/index")
START = "python -m jomed_app serve"


@dataclass(frozen=True, slots=True)
class Beside:
    """One of them.

    Attributes:
        folder: inside the installation.
        name: its own; count: its cases; simulated: whether any is simulated.
        fits: whether the models that run here built it.
    """

    folder: str
    name: str
    count: int
    simulated: bool
    fits: bool

    @property
    def command(self) -> str:
        """What starts the app with it."""
        return f"{START} --index {self.folder}"


def collections_beside(root: Path, present: Path, fingerprint: str) -> tuple[Beside, ...]:
    """Return the collections below `index/` and `out/index/` that are whole, less the present one.

    Args:
        root: of the installation.
        present: folder of the one that is searched.
        fingerprint: of the encoder that runs here.
    """
    found = []
    for place in PLACES:
        for manifest_file in sorted((root / place).glob(f"*/{MANIFEST_FILE}")):
            folder = manifest_file.parent
            if folder.resolve() == present.resolve():
                continue
            try:
                manifest = read_manifest(folder)
            except IndexMismatchError:
                continue
            found.append(
                Beside(
                    folder=folder.relative_to(root).as_posix(),
                    name=manifest.name,
                    count=manifest.count,
                    simulated=manifest.simulated,
                    fits=manifest.encoder_fingerprint == fingerprint,
                )
            )
    return tuple(found)
