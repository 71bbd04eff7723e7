"""From a bundle of large models to a reader and a retriever, once their files were checked.

Such a bundle holds what was learned: a LoRA adapter, query heads, settings. The models themselves
are pinned: a Hub id at one commit, which the local cache holds, or a folder by its name.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jomed_app.config.backbones import BackbonesConfig
from jomed_app.config.section import build_section
from jomed_app.errors import BundleError
from jomed_app.models.source import find_model
from jomed_app.progress import OnLoad, load_unseen
from jomed_app.storage.bundle import Bundle
from jomed_app.storage.pinned import PinnedModel, PinnedPart, check_pinned

SETTINGS_FILE = "backbones.json"
ADAPTER_FOLDER = "reader/adapter"
HEADS_FOLDER = "retriever/heads"
PLACES_VARIABLE = "JOMED_MODELS"  # folders that hold models, as PATH names them


def pinned_config(bundle: Bundle) -> BackbonesConfig:
    """The settings of a bundle of large models, with every place as it is on this machine.

    Args:
        bundle: checked.

    Raises:
        BundleError: if its settings are damaged, or a pinned folder lies nowhere.
    """
    try:
        values: dict[str, Any] = json.loads((bundle.path / SETTINGS_FILE).read_bytes())
        tables = {part: dict(values[part]) for part in ("reader", "retriever")}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise BundleError(
            f"a bundle of large models must hold its settings as '{SETTINGS_FILE}', found none "
            "that can be read; export it again"
        ) from error
    for part, pinned in bundle.manifest.pinned.items():
        place = pinned.model if pinned.revision else str(_folder_of(pinned, part, bundle.path))
        tables[part] |= {"model": place, "revision": pinned.revision}
    tables["reader"]["adapter"] = _own(bundle, ADAPTER_FOLDER)
    tables["retriever"]["heads"] = _own(bundle, HEADS_FOLDER)
    return build_section(BackbonesConfig, values | tables)


def check_pinned_models(
    bundle: Bundle,
    config: BackbonesConfig,
    on_load: OnLoad = load_unseen,
    parts: Sequence[PinnedPart] = ("reader", "retriever"),
) -> None:
    """Check every byte of the models that a bundle stands on.

    Args:
        bundle: checked.
        config: of `pinned_config`.
        on_load: told of every MiB.
        parts: which of them.

    Raises:
        BundleError: if a file is missing, extra or other than the bundle pins.
        ConfigError: if a model is not on this machine.
    """
    places: Mapping[PinnedPart, tuple[str, str]] = {
        "reader": (config.reader.model, config.reader.revision),
        "retriever": (config.retriever.model, config.retriever.revision),
    }
    for part, pinned in bundle.manifest.pinned.items():
        if part in parts:
            source = find_model(*places[part], part)
            check_pinned(pinned, source.folder, part, on_load)


def _own(bundle: Bundle, folder: str) -> str:
    """A folder inside the bundle, empty where it holds none."""
    has_it = any(name.startswith(f"{folder}/") for name in bundle.manifest.files)
    return str(bundle.path / folder) if has_it else ""


def _folder_of(pinned: PinnedModel, part: PinnedPart, bundle: Path) -> Path:
    """Where a model that is a folder lies: in a place that is named, else beside the bundle."""
    named = os.environ.get(PLACES_VARIABLE, "")
    places = [Path(each).expanduser() for each in named.split(os.pathsep) if each]
    for place in (*places, bundle.resolve().parent):
        if (found := place / Path(pinned.model).name).is_dir():
            return found
    raise BundleError(
        f"the {part} '{pinned.model}' of this bundle must lie beside it or in a folder that "
        f"{PLACES_VARIABLE} names, found it in neither; copy it there"
    )
