"""From a bundle and an index, as folders, to an engine; hashes are checked first."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path

import torch
from transformers import AutoTokenizer

from jomed_app.data.tasks import Task, task_from_dict
from jomed_app.errors import BundleError
from jomed_app.inference.calibration.profile import CorpusProfile, Profile, read_profile
from jomed_app.inference.engine import Engine
from jomed_app.inference.index_labels import widen_task, without_figures
from jomed_app.inference.info import EngineInfo
from jomed_app.models.heads import HEADS_FILE, DomainHead, LinearHead, load_heads
from jomed_app.models.loading import (
    Precision,
    choose_precision,
    load_image_text_model,
    parse_precision,
    prepare_for_answers,
)
from jomed_app.models.localizer.localizer import Localizer, load_localizer
from jomed_app.models.number_type import dtype_name
from jomed_app.models.reader.packed import Reader
from jomed_app.models.retriever.embedded import Retriever, load_retriever
from jomed_app.retrieval.index import CandidateIndex
from jomed_app.storage.bundle import Bundle, open_bundle
from jomed_app.storage.sealing import FileEntry
from jomed_app.types import CorpusKind

logger = logging.getLogger(__name__)

TASK_FILE = "task.json"
READER_FILE = "reader.json"
PARTS = (READER_FILE, TASK_FILE, f"heads/{HEADS_FILE}", "localizer/model.safetensors")
SHORT_HASH = 8
OTHER_SEARCH = "with the jointly optimised search"


@dataclasses.dataclass(frozen=True, slots=True)
class BundleParts:
    """What a bundle holds, loaded.

    Attributes:
        bundle: path and manifest.
        task: the bundle's own task definition.
        reader, retriever: they share one vision tower; localizer: has one of its own.
        backbone: linear head on the tower; domain: refuses foreign images.
        precision: how the reader's weights are held.
        profiles: by kind of corpus.
    """

    bundle: Bundle
    task: Task
    reader: Reader
    retriever: Retriever
    localizer: Localizer
    backbone: LinearHead
    domain: DomainHead
    precision: Precision
    profiles: Mapping[CorpusKind, CorpusProfile]

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

    @property
    def has_trained_heads(self) -> bool:
        """Whether the bundle's query heads move a query, so that there are two searches."""
        return self.retriever.projections.has_trained_heads


def load_bundle(folder: Path, precision: str = "auto") -> BundleParts:
    """Check a bundle's hashes and load its models.

    Args:
        folder: a sealed bundle.
        precision: fp32, bf16, int8 or nf4; auto is what the rule of docs/number_types.md says.

    Raises:
        BundleError: if the bundle is incomplete or altered.
        ConfigError: if there is no such precision, or `JOMED_NUMBER_TYPE` names no number type.
    """
    chosen = parse_precision(precision)
    bundle = open_bundle(folder)
    path = bundle.path
    if missing := [name for name in PARTS if name not in bundle.manifest.files]:
        raise BundleError(f"a bundle must hold '{missing[0]}', found none; export it again")
    if chosen is Precision.AUTO:
        chosen = choose_precision(bundle.total_size / 2**30)
    values = json.loads((path / READER_FILE).read_text(encoding="utf-8"))
    reader = Reader(
        load_image_text_model(path / "reader", chosen),
        AutoTokenizer.from_pretrained(path / "reader"),
        location_bins=int(values["location_bins"]),
        candidate_pool=int(values["candidate_pool"]),
    )
    retriever = load_retriever(path / "retriever", reader.model.model.vision_tower)
    backbone, domain = load_heads(path / "heads")
    manifest = bundle.manifest
    profiles = {kind: read_profile(each) for kind, each in manifest.profiles.items()}
    logger.info("bundle %s %s runs as %s", manifest.name, manifest.version, chosen.value)
    return BundleParts(
        bundle,
        task_from_dict(json.loads((path / TASK_FILE).read_text(encoding="utf-8"))),
        reader,
        retriever,
        load_localizer(path / "localizer", reader.dtype),
        backbone,
        domain,
        chosen,
        profiles,
    )


def load_engine(bundle: Path, index: Path, *, precision: str = "auto") -> Engine:
    """Load a bundle and an index that its retriever can search.

    Raises:
        BundleError: if the bundle is incomplete or altered.
        IndexMismatchError: if another retriever built the index, or it is altered.
        ConfigError: if there is no such precision.
    """
    parts = load_bundle(bundle, precision)
    return engine_of(parts, CandidateIndex.load(index, parts.retriever.fingerprint))


def engine_of(parts: BundleParts, candidates: CandidateIndex) -> Engine:
    """An engine over what is loaded already; its reader is laid out for answers."""
    prepare_for_answers(parts.reader.model)
    manifest = parts.bundle.manifest
    is_simulated = candidates.info.simulated
    task = widen_task(parts.task, candidates.labels)
    profile = parts.profile(is_simulated)
    standard = _standard_profile(parts, is_simulated) if parts.has_trained_heads else None
    profile = without_figures(profile, len(task.index_only))
    standard = without_figures(standard, len(task.index_only)) if standard else None
    info = EngineInfo(
        bundle=f"{manifest.name} {manifest.version} ({parts.bundle.fingerprint[:SHORT_HASH]})",
        index=f"{candidates.info.name} ({candidates.info.corpus_sha256[:SHORT_HASH]})",
        index_size=len(candidates),
        task=task,
        box_threshold=profile.settings.box_threshold,
        opens_with="standard" if candidates.info.simulated else "joint",
        reader=f"{parts.reader.model.config.model_type} ({_reader_hash(manifest.files)})",
        retriever=f"embedded ({parts.retriever.fingerprint[:SHORT_HASH]})",
        number_type=dtype_name(parts.reader.dtype),
        precision=parts.precision.value,
        threads=torch.get_num_threads(),
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


def _reader_hash(files: Mapping[str, FileEntry]) -> str:
    """The hash of the reader's weights; of all their hashes where they lie in several files."""
    hashes = [
        entry.sha256
        for name, entry in sorted(files.items())
        if name.startswith("reader/") and name.endswith(".safetensors")
    ]
    whole = hashes[0] if len(hashes) == 1 else hashlib.sha256(" ".join(hashes).encode()).hexdigest()
    return whole[:SHORT_HASH]


def _standard_profile(parts: BundleParts, is_simulated: bool) -> Profile:
    """The profile of the standard search; one that was fitted for the other search says so."""
    profile = parts.profile(is_simulated, standard=True)
    if profile is not parts.profile(is_simulated) or not profile.measured_on:
        return profile
    return profile.model_copy(update={"measured_on": f"{profile.measured_on}, {OTHER_SEARCH}"})
