"""From a bundle, or a file that names models, and an index to an engine; hashes come first."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch

from jomed_app.config.backbones import NamedModels, load_backbones
from jomed_app.data.tasks import Task, load_task, task_of_bundle
from jomed_app.errors import BundleError
from jomed_app.inference.calibration.profile import CorpusProfile, Profile, read_profile
from jomed_app.inference.engine import Engine
from jomed_app.inference.index_labels import widen_task, without_figures
from jomed_app.inference.info import EngineInfo
from jomed_app.models.backbones import (
    READER_FILE,
    Backbones,
    embedded_backbones,
    named_backbones,
    named_retriever,
)
from jomed_app.models.heads import HEADS_FILE, DomainHead, LinearHead, load_heads
from jomed_app.models.loading import (
    Precision,
    choose_precision,
    parse_precision,
)
from jomed_app.models.localizer.localizer import Localizer, load_localizer
from jomed_app.models.number_type import NUMBER_TYPES
from jomed_app.models.reader.protocol import Reader, Sending
from jomed_app.models.retriever.embedded import load_retriever
from jomed_app.models.retriever.protocol import Retriever
from jomed_app.models.weights.pinned import check_pinned_models, pinned_config
from jomed_app.progress import OnLoad, load_unseen
from jomed_app.retrieval.index import CandidateIndex
from jomed_app.retrieval.manifest import IndexManifest
from jomed_app.storage.bundle import Bundle, open_bundle
from jomed_app.storage.sealing import FileEntry
from jomed_app.types import CorpusKind

logger = logging.getLogger(__name__)

TASK_FILE = "task.json"
PARTS = (READER_FILE, TASK_FILE, f"heads/{HEADS_FILE}", "localizer/model.safetensors")
SHORT_HASH = 8
OTHER_SEARCH = "with the jointly optimised search"


@dataclasses.dataclass(frozen=True, slots=True)
class BundleParts:
    """What a bundle holds, or a file of backbones names, loaded.

    Attributes:
        title: name, and version of a bundle.
        fingerprint: of the bundle, or of the models that are named.
        task: the task definition.
        reader, retriever: a bundle's own share one vision tower.
        precision: how the reader's weights are held; None where a server holds them.
        reader_hash: tells the reader's weights apart.
        localizer: has a tower of its own; backbone: linear head on the retriever's features;
            domain: refuses foreign images. None where nothing was trained for the task.
        profiles: by kind of corpus.
        reader_from, retriever_from: see `Backbones`.
    """

    title: str
    fingerprint: str
    task: Task
    reader: Reader
    retriever: Retriever
    precision: Precision | None
    reader_hash: str
    localizer: Localizer | None = None
    backbone: LinearHead | None = None
    domain: DomainHead | None = None
    profiles: Mapping[CorpusKind, CorpusProfile] = dataclasses.field(default_factory=dict)
    reader_from: str = ""
    retriever_from: str = ""

    @property
    def is_tuned(self) -> bool:
        """Whether anything was trained for the task."""
        return self.backbone is not None

    def profile(self, simulated: bool, standard: bool = False) -> Profile:
        """Settings for an index; one that was never measured gets the plain defaults.

        Args:
            simulated: kind of the index.
            standard: for the search by similarity alone; a bundle that holds none of its own for
                it has one profile for both searches.
        """
        kind: CorpusKind = "simulated" if simulated else "real"
        profile = self.profiles.get(kind, CorpusProfile())
        return profile.standard if standard and profile.standard is not None else profile

    def profile_beside(self, known: IndexManifest, standard: bool = False) -> Profile:
        """Settings for one index: those fitted to its very cases, else those of its kind.

        Args:
            known: the index.
            standard: see `profile`.
        """
        if not self.is_fitted_to(known):
            return self.profile(known.simulated, standard)
        fitted = read_profile(cast("dict[str, Any]", known.calibrated[self.fingerprint]))
        return fitted.standard if standard and fitted.standard is not None else fitted

    def is_fitted_to(self, known: IndexManifest) -> bool:
        """Whether an index holds a profile that was fitted to its cases with these models."""
        return self.fingerprint in known.calibrated

    @property
    def has_trained_heads(self) -> bool:
        """Whether the bundle's query heads move a query, so that there are two searches."""
        return self.retriever.has_trained_heads


def _read_task(path: Path) -> dict[str, Any]:
    """Read a bundle's task; a seal tells that nobody altered it, not that it is JSON."""
    try:
        values = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BundleError(
            f"a bundle's '{path.name}' must be JSON, found something else; export it again"
        ) from error
    return values if isinstance(values, dict) else {}


def load_bundle(place: Path, precision: str = "auto", on_load: OnLoad = load_unseen) -> BundleParts:
    """Check a bundle's hashes and load its models, or load the models that a file names.

    Models that a bundle pins are checked to the byte as its own files are.

    Args:
        place: a sealed bundle, or a TOML file of `config.backbones`.
        precision: fp32, bf16, int8 or nf4; auto is what the rule of docs/number_types.md says, or
            what the file or the bundle's settings do.
        on_load: told how far checking and loading are.

    Raises:
        BundleError: if the bundle, or a model that it pins, is incomplete or altered.
        ConfigError: if there is no such precision, `JOMED_NUMBER_TYPE` names no number type, or a
            model that is named cannot be loaded.
        MemoryShortError: if weights do not fit.
    """
    if is_file_of_backbones(place):
        config = load_backbones(place)
        task = _named_task(config)
        return _named_parts(task, named_backbones(config, precision, on_load), place.stem)
    chosen = parse_precision(precision)
    bundle = open_bundle(place)
    if bundle.manifest.pinned:
        return _pinned_parts(bundle, precision, on_load)
    path, manifest = bundle.path, bundle.manifest
    if missing := [name for name in PARTS if name not in manifest.files]:
        raise BundleError(f"a bundle must hold '{missing[0]}', found none; export it again")
    if chosen is Precision.AUTO:
        chosen = choose_precision(bundle.total_size / 2**30)
    loaded = embedded_backbones(path, chosen, on_load)
    backbone, domain = load_heads(path / "heads")
    logger.info("bundle %s %s runs as %s", manifest.name, manifest.version, chosen.value)
    return BundleParts(
        title=f"{manifest.name} {manifest.version}",
        fingerprint=bundle.fingerprint,
        task=task_of_bundle(_read_task(path / TASK_FILE)),
        reader=loaded.reader,
        retriever=loaded.retriever,
        precision=chosen,
        reader_hash=_reader_hash(manifest.files),
        localizer=load_localizer(
            path / "localizer", NUMBER_TYPES[loaded.reader.number_type], loaded.tower
        ),
        backbone=backbone,
        domain=domain,
        profiles={kind: read_profile(each) for kind, each in manifest.profiles.items()},
    )


def is_file_of_backbones(place: Path) -> bool:
    """Whether a place is a TOML file that names models, and not a bundle's folder."""
    return place.suffix == ".toml"


def _named_task(config: NamedModels) -> Task:
    """The task that a file names, with the file's question where it asks one."""
    task = load_task(config.task)
    return task.model_copy(update={"question": config.question}) if config.question else task


def _named_parts(task: Task, loaded: Backbones, title: str) -> BundleParts:
    """Models as they come: no localizer, no small heads, nothing fitted or measured."""
    held = loaded.precision.value if loaded.precision else loaded.reader.number_type
    logger.info("reader %s runs as %s", loaded.reader.name, held)
    return BundleParts(
        title=title,
        fingerprint=loaded.reader_hash,
        task=task,
        reader=loaded.reader,
        retriever=loaded.retriever,
        precision=loaded.precision,
        reader_hash=loaded.reader_hash,
        reader_from=loaded.reader_from,
        retriever_from=loaded.retriever_from,
    )


def _pinned_parts(bundle: Bundle, precision: str, on_load: OnLoad) -> BundleParts:
    """Large models, each as the bundle pins it, with what the bundle learned beside them."""
    if TASK_FILE not in bundle.manifest.files:
        raise BundleError(f"a bundle must hold '{TASK_FILE}', found none; export it again")
    config = pinned_config(bundle)
    check_pinned_models(bundle, config, on_load)
    manifest = bundle.manifest
    parts = _named_parts(
        task_of_bundle(_read_task(bundle.path / TASK_FILE)),
        named_backbones(config, precision, on_load),
        f"{manifest.name} {manifest.version}",
    )
    return dataclasses.replace(
        parts,
        fingerprint=bundle.fingerprint,
        profiles={kind: read_profile(each) for kind, each in manifest.profiles.items()},
    )


def task_of_place(place: Path) -> Task:
    """Return the task that a bundle, or a file that names models, answers; no model is loaded.

    Raises:
        BundleError: if the bundle's manifest is missing or damaged, or names no task.
        ConfigError: if the file needs mending.
    """
    if is_file_of_backbones(place):
        return _named_task(load_backbones(place))
    return task_of_bundle(_read_task(open_bundle(place, verify=False).path / TASK_FILE))


def load_encoder(place: Path) -> Retriever:
    """Load only the retriever of a bundle or of a file of backbones, to index with.

    Raises:
        BundleError: if the bundle is incomplete or altered.
        ConfigError: if the model that is named cannot be loaded.
    """
    if is_file_of_backbones(place):
        return named_retriever(load_backbones(place))
    bundle = open_bundle(place)
    if bundle.manifest.pinned:
        config = pinned_config(bundle)
        check_pinned_models(bundle, config, parts=("retriever",))
        return named_retriever(config)
    return load_retriever(bundle.path / "retriever")


def load_engine(
    bundle: Path, index: Path, *, precision: str = "auto", on_load: OnLoad = load_unseen
) -> Engine:
    """Load a bundle, or the models that a file names, and an index that the retriever can search.

    Args:
        bundle: see `load_bundle`.
        index: folder.
        precision: see `load_bundle`.
        on_load: see `load_bundle`.

    Raises:
        BundleError, ConfigError, MemoryShortError: as `load_bundle`.
        IndexMismatchError: if another retriever built the index, or it is altered.
        RemoteError: if a server reads and does not answer, or serves other models alone.
    """
    parts = load_bundle(bundle, precision, on_load)
    return engine_of(parts, CandidateIndex.load(index, parts.retriever.fingerprint))


def engine_of(parts: BundleParts, candidates: CandidateIndex) -> Engine:
    """An engine over what is loaded already; its reader is laid out for answers."""
    parts.reader.prepare()
    _ = candidates.similarity  # measured now: the first case does not wait for it
    known = candidates.info
    task = widen_task(parts.task, candidates.labels)
    profile = parts.profile_beside(known)
    standard = _standard_profile(parts, known) if parts.has_trained_heads else None
    if not parts.is_fitted_to(known):  # else the figures are of the index's own labels too
        profile = without_figures(profile, len(task.index_only))
        standard = without_figures(standard, len(task.index_only)) if standard else None
    info = EngineInfo(
        bundle=f"{parts.title} ({parts.fingerprint[:SHORT_HASH]})",
        index=f"{candidates.info.name} ({candidates.info.corpus_sha256[:SHORT_HASH]})",
        index_size=len(candidates),
        task=task,
        box_threshold=profile.settings.box_threshold,
        opens_with="standard" if candidates.info.simulated else "joint",
        reader=_named(parts.reader.name, parts.reader_hash, parts.reader_from),
        retriever=_named(parts.retriever.name, parts.retriever.fingerprint, parts.retriever_from),
        number_type=parts.reader.number_type,
        precision=parts.precision.value if parts.precision else None,
        sent_to=parts.reader.sent_to if isinstance(parts.reader, Sending) else "",
        threads=torch.get_num_threads(),
        hashes={"bundle": parts.fingerprint, "index": candidates.info.corpus_sha256},
    ).with_profile(profile)
    if standard is not None:
        info = dataclasses.replace(info, standard=info.with_profile(standard))
    return Engine(
        reader=parts.reader,
        retriever=parts.retriever,
        localizer=parts.localizer,
        backbone=parts.backbone,
        domain=parts.domain,
        index=candidates,
        task=task,
        profile=profile,
        standard=standard,
        info=info,
    )


def _named(kind: str, weights: str, origin: str) -> str:
    """A model as results name it: its kind, a short hash, and where it comes from."""
    return f"{kind} ({weights[:SHORT_HASH]})" + (f": {origin}" if origin else "")


def _reader_hash(files: Mapping[str, FileEntry]) -> str:
    """The hash of the reader's weights; of all their hashes where they lie in several files."""
    hashes = [
        entry.sha256
        for name, entry in sorted(files.items())
        if name.startswith("reader/") and name.endswith(".safetensors")
    ]
    whole = hashes[0] if len(hashes) == 1 else hashlib.sha256(" ".join(hashes).encode()).hexdigest()
    return whole


def _standard_profile(parts: BundleParts, known: IndexManifest) -> Profile:
    """The profile of the standard search; one that was fitted for the other search says so."""
    profile = parts.profile_beside(known, standard=True)
    if profile != parts.profile_beside(known) or not profile.measured_on:
        return profile
    return profile.model_copy(update={"measured_on": f"{profile.measured_on}, {OTHER_SEARCH}"})
