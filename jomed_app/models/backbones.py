"""Which models read and retrieve: the one place that goes from a bundle or a file to them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from transformers import AutoTokenizer

from jomed_app.config.backbones import BackbonesConfig, NamedModels, ServedBackbonesConfig
from jomed_app.errors import BundleError, ConfigError
from jomed_app.models.loading import Precision, load_image_text_model
from jomed_app.models.memory import memory_of
from jomed_app.models.reader.packed import PackedReader
from jomed_app.models.reader.protocol import Reader
from jomed_app.models.reader.remote.load import load_remote
from jomed_app.models.reader.vlm.load import load_vlm
from jomed_app.models.retriever.dual_encoder import load_dual_encoder
from jomed_app.models.retriever.embedded import load_retriever
from jomed_app.models.retriever.protocol import Retriever
from jomed_app.models.source import ModelSource, find_model, folder_fingerprint
from jomed_app.models.towers.families import VisionTower
from jomed_app.models.weights.progress import weights_progress
from jomed_app.progress import OnLoad, load_unseen

READER_FILE = "reader.json"


@dataclass(frozen=True, slots=True)
class Backbones:
    """A reader and a retriever, loaded.

    Attributes:
        reader, retriever: the models.
        precision: how the reader's weights are held; None where a server holds them.
        reader_hash: 16 hexadecimal digits that tell the reader's weights apart, or a server and
            its model by name, since its weights cannot be seen; empty where a bundle's manifest
            does.
        reader_from, retriever_from: the models in words, with commit and adapter; empty where a
            bundle holds them whole.
        tower: the vision tower of a bundle's own reader, which a localizer may be lent.
    """

    reader: Reader
    retriever: Retriever
    precision: Precision | None
    reader_hash: str = ""
    reader_from: str = ""
    retriever_from: str = ""
    tower: VisionTower | None = None


def embedded_backbones(
    bundle: Path, precision: Precision, on_load: OnLoad = load_unseen
) -> Backbones:
    """Load a bundle's own reader, and its retriever, which shares the reader's tower.

    Args:
        bundle: folder whose hashes are checked.
        precision: not auto.
        on_load: told after every tensor.

    Raises:
        BundleError: if the reader's settings are damaged.
        MemoryShortError: if the weights do not fit.
    """
    location_bins, candidate_pool = _reader_settings(bundle / READER_FILE)
    size = sum(path.stat().st_size for path in (bundle / "reader").glob("*.safetensors"))
    fewer_bits = memory_of("--precision (nf4 needs least)")
    with fewer_bits, weights_progress(on_load, "reader", size):
        model = load_image_text_model(bundle / "reader", precision)
    reader = PackedReader(
        model,
        AutoTokenizer.from_pretrained(bundle / "reader"),
        location_bins=location_bins,
        candidate_pool=candidate_pool,
    )
    retriever = load_retriever(bundle / "retriever", reader.tower)
    return Backbones(reader, retriever, precision, tower=reader.tower)


def _reader_settings(path: Path) -> tuple[int, int]:
    """Location tokens per axis, and the pooling of candidates, of the embedded reader."""
    try:
        values = json.loads(path.read_bytes())
        found = int(values["location_bins"]), int(values["candidate_pool"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BundleError(
            f"a bundle's '{path.name}' must be JSON with the numbers location_bins and "
            "candidate_pool, found something else; export it again"
        ) from error
    if min(found) < 1:
        raise BundleError(
            f"a bundle's '{path.name}' must hold numbers of 1 or more, found {min(found)}; export "
            "it again"
        )
    return found


def named_backbones(
    config: BackbonesConfig | ServedBackbonesConfig,
    precision: str = "auto",
    on_load: OnLoad = load_unseen,
) -> Backbones:
    """Load the models that a file names.

    Args:
        config: names them.
        precision: where it is not auto, it takes the place of `reader.precision`.
        on_load: told after every tensor.

    Raises:
        ConfigError: if a model is not here or is of another kind, or a setting does not fit the
            machine.
        MemoryShortError: if weights do not fit.
    """
    if isinstance(config, ServedBackbonesConfig):
        return _served_backbones(config, precision, on_load)
    retriever = named_retriever(config, on_load)  # the small one first: mistakes are told at once
    source = find_model(config.reader.model, config.reader.revision, "reader")
    with weights_progress(on_load, "reader", source.weight_bytes):
        reader, chosen = load_vlm(source, config.reader, precision)
    told, words = source.fingerprint, _words(source)
    if config.reader.adapter:
        adapter = folder_fingerprint(Path(config.reader.adapter))
        told, words = told + adapter, f"{words}, adapter {adapter[:8]}"
    return Backbones(
        reader,
        retriever,
        chosen,
        hashlib.sha256(told.encode()).hexdigest()[:16],
        words,
        _words(find_model(config.retriever.model, config.retriever.revision, "retriever")),
    )


def _words(source: ModelSource) -> str:
    """A model in words: its name without the folder it lies in, and its commit."""
    if source.revision is None:
        return source.folder.name
    return f"{source.name} at {source.revision[:8]}"


def _served_backbones(config: ServedBackbonesConfig, precision: str, on_load: OnLoad) -> Backbones:
    """A server reads; the retriever runs here."""
    if precision != "auto":
        raise ConfigError(
            f"a precision can be chosen where weights are held here, found '{precision}' for a "
            "server; leave it out"
        )
    reader = load_remote(config.reader)
    told = hashlib.sha256(reader.name.encode()).hexdigest()[:16]
    return Backbones(reader, named_retriever(config, on_load), None, told)


def named_retriever(config: NamedModels, on_load: OnLoad = load_unseen) -> Retriever:
    """Load only the retriever that a file names, as an index is built with.

    Args:
        config: names it.
        on_load: told after every tensor.

    Raises:
        ConfigError: if the model is not here or is of another kind.
        MemoryShortError: if its weights do not fit.
    """
    source = find_model(config.retriever.model, config.retriever.revision, "retriever")
    with weights_progress(on_load, "retriever", source.weight_bytes):
        return load_dual_encoder(source, config.retriever)
