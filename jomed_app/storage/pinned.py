"""Models that a bundle stands on and does not hold: where they come from, and every file's hash.

A large model stays where it is. The bundle names it, with the commit where it comes from the Hub,
and refuses one of which a single byte is another.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import Field

from jomed_app.errors import BundleError
from jomed_app.progress import OnLoad, load_unseen
from jomed_app.storage.sealing import FileEntry, hash_file
from jomed_app.types import Frozen

PinnedPart = Literal["reader", "retriever"]
WEIGHTS_FILE = "model.safetensors"
WEIGHTS_LIST = "model.safetensors.index.json"
TEXT_FILES = (".json", ".jinja", ".txt", ".model")  # configuration, tokenizer, chat template
CHECKING = "checking the {part}'s files"


class PinnedModel(Frozen):
    """One model outside of the bundle.

    Attributes:
        model: Hub id, or name of a folder; where that lies is another matter on every machine.
        revision: commit of a Hub id; empty for a folder.
        files: name -> hash, size of every file that transformers reads.
    """

    model: str = Field(min_length=1)
    revision: str = Field(default="", pattern="^([0-9a-f]{40})?$")
    files: dict[str, FileEntry] = Field(min_length=1)

    @property
    def total_size(self) -> int:
        """Bytes of all files."""
        return sum(entry.size for entry in self.files.values())

    @property
    def reference(self) -> str:
        """The model in words: "Qwen/Qwen2-VL-7B-Instruct at 1a2b3c4d"; without commit, its name."""
        return f"{self.model} at {self.revision[:8]}" if self.revision else self.model


def model_files(folder: Path) -> list[str]:
    """Names of the files in a model's folder that transformers would read, sorted.

    Raises:
        BundleError: if its weights are not safetensors, or a listed file of them is missing.
    """
    weights = {WEIGHTS_FILE}
    if not (folder / WEIGHTS_FILE).is_file():  # which wins where both are there
        weights = _listed_weights(folder)
    if missing := sorted(name for name in weights if not (folder / name).is_file()):
        raise BundleError(
            f"a model that a bundle stands on must hold its weights as safetensors, found no "
            f"'{missing[0]}' in '{folder.name}'; fetch or convert it whole"
        )
    texts = {path.name for path in folder.iterdir() if path.suffix in TEXT_FILES}
    return sorted(texts | weights)


def _listed_weights(folder: Path) -> set[str]:
    """The files over which weights are spread; `model.safetensors` where there is no list."""
    if not (folder / WEIGHTS_LIST).is_file():
        return {WEIGHTS_FILE}
    try:
        listed = set(json.loads((folder / WEIGHTS_LIST).read_bytes())["weight_map"].values())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BundleError(
            f"'{WEIGHTS_LIST}' of '{folder.name}' must list the files of its weights, found "
            "something else; fetch the model again"
        ) from error
    if not all(isinstance(name, str) and PurePosixPath(name).name == name for name in listed):
        raise BundleError(
            f"'{WEIGHTS_LIST}' of '{folder.name}' must list files beside it, found another place; "
            "fetch the model again"
        )
    return listed


def pin_model(
    folder: Path, model: str, revision: str, part: PinnedPart, on_load: OnLoad = load_unseen
) -> PinnedModel:
    """Hash a model's files.

    Args:
        folder: where it lies.
        model: as the bundle shall name it.
        revision: commit of a Hub id, else empty.
        part: what it is used as.
        on_load: told of every MiB.

    Raises:
        BundleError: as `model_files`.
    """
    names = model_files(folder)
    total = sum((folder / name).stat().st_size for name in names)
    count = _counter(part, total, on_load)
    files = {name: hash_file(folder / name, count) for name in names}
    return PinnedModel(model=model, revision=revision, files=files)


def check_pinned(
    pinned: PinnedModel, folder: Path, part: PinnedPart, on_load: OnLoad = load_unseen
) -> None:
    """Check that a model's files are, to the byte, those that the bundle was made with.

    Args:
        pinned: from the manifest.
        folder: where the model lies here.
        part: what it is used as.
        on_load: told of every MiB.

    Raises:
        BundleError: naming the first file that is missing, extra or other.
    """
    for name in sorted(pinned.files):
        if not (folder / name).is_file():
            raise BundleError(_sentence(pinned, part, f"found no '{name}'"))
    for name in sorted(set(model_files(folder)) - pinned.files.keys()):
        raise BundleError(_sentence(pinned, part, f"found '{name}', which it was made without"))
    count = _counter(part, pinned.total_size, on_load)
    sizes_first = sorted(pinned.files, key=lambda name: pinned.files[name].size)
    for name in sizes_first:
        required = pinned.files[name]
        found = hash_file(folder / name, count)
        if found != required:
            raise BundleError(
                _sentence(
                    pinned,
                    part,
                    f"'{name}' requires sha256 {required.sha256[:12]} ({required.size} bytes), "
                    f"found {found.sha256[:12]} ({found.size} bytes)",
                )
            )


def _sentence(pinned: PinnedModel, part: PinnedPart, fault: str) -> str:
    fetched = (
        f"fetch that commit again: hf download {pinned.model} --revision {pinned.revision}"
        if pinned.revision
        else "copy the model that the bundle was made with to its place"
    )
    return f"the {part} '{pinned.model}' must be the one that the bundle pins: {fault}; {fetched}"


def _counter(part: PinnedPart, total: int, on_load: OnLoad) -> Callable[[int], None]:
    done = 0

    def count(size: int) -> None:
        nonlocal done
        done += size
        on_load(CHECKING.format(part=part), done, total)

    return count
