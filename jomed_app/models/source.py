"""Where a model's files come from: a folder, or the Hub at one pinned commit."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from transformers.utils.hub import cached_file

from jomed_app.errors import ConfigError

COMMIT = re.compile(r"[0-9a-f]{40}")
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
SAMPLED_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A model's files.

    Attributes:
        name: folder, or Hub id, as transformers takes it.
        revision: commit of a Hub id; None for a folder.
        folder: where its configuration lies on this machine.
    """

    name: str
    revision: str | None
    folder: Path

    @property
    def weight_bytes(self) -> int:
        """Bytes of the weights that are here."""
        return sum(path.stat().st_size for path in self.folder.glob("*.safetensors"))

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits: of the commit, or of a folder's configuration and weights."""
        return folder_fingerprint(self.folder) if self.revision is None else self.revision[:16]


def folder_fingerprint(*folders: Path) -> str:
    """16 hexadecimal digits of what transformers wrote into folders.

    Ours: of large files, the size and a MiB at either end stand for the whole.
    """
    digest = hashlib.sha256()
    for path in (each for folder in folders for each in sorted(folder.iterdir())):
        if path.suffix in (".json", ".jinja", ".safetensors"):
            digest.update(f"{path.name} {path.stat().st_size} ".encode())
            with path.open("rb") as file:
                digest.update(file.read(SAMPLED_BYTES))
                file.seek(max(0, path.stat().st_size - SAMPLED_BYTES))
                digest.update(file.read())
    return digest.hexdigest()[:16]


def find_model(model: str, revision: str, key: str) -> ModelSource:
    """Find a model's files; those of the Hub are fetched where the network may be used.

    Args:
        model: folder, or Hub id.
        revision: commit of a Hub id.
        key: name of the setting, for the message.

    Raises:
        ConfigError: if there is no such folder, a folder has a revision, a Hub id none, or its
            files are not here and cannot be fetched.
    """
    path = Path(model).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise ConfigError(
                f"{key}.model must be a folder that save_pretrained wrote, found no config.json in "
                f"'{path.name}'"
            )
        if revision:
            raise ConfigError(
                f"{key}.revision must be the commit of a Hub id, found '{revision}' beside the "
                f"folder '{path.name}'; leave it out"
            )
        return ModelSource(str(path), None, path)
    if not HUB_ID.fullmatch(model):
        raise ConfigError(f"{key}.model must be a folder or a Hub id, found neither in '{model}'")
    if not COMMIT.fullmatch(revision):
        raise ConfigError(
            f"{key}.revision must be the commit of '{model}', 40 hexadecimal digits, found "
            f"'{revision}'; a branch may change its weights under you"
        )
    try:
        config = cached_file(model, "config.json", revision=revision)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{key}.model '{model}' is not on this machine and could not be fetched; fetch it "
            f"first: hf download {model} --revision {revision}"
        ) from error
    return ModelSource(model, revision, Path(str(config)).parent)
