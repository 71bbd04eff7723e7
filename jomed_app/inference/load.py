"""From a bundle and an index, as folders, to an engine; hashes are checked first."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Mapping
from pathlib import Path

from transformers import AutoTokenizer

from jomed_app.data.tasks import Task, task_from_dict
from jomed_app.errors import BundleError
from jomed_app.inference.calibrate import Calibration
from jomed_app.inference.engine import Engine
from jomed_app.inference.settings import EngineInfo, EngineSettings, Profile
from jomed_app.models.bundle import Bundle, open_bundle
from jomed_app.models.heads import HEADS_FILE, DomainHead, LinearHead, load_heads
from jomed_app.models.loading import (
    Precision,
    choose_precision,
    load_image_text_model,
    parse_precision,
    prepare_for_answers,
)
from jomed_app.models.localizer import Localizer, load_localizer
from jomed_app.models.reader import Reader
from jomed_app.models.retriever import Retriever, load_retriever
from jomed_app.retrieval.index import CandidateIndex
from jomed_app.types import CorpusKind

logger = logging.getLogger(__name__)

TASK_FILE = "task.json"
READER_FILE = "reader.json"
PARTS = (READER_FILE, TASK_FILE, f"heads/{HEADS_FILE}", "localizer/model.safetensors")
SHORT_HASH = 8


@dataclasses.dataclass(frozen=True, slots=True)
class BundleParts:
    """What a bundle holds, loaded.

    Attributes:
        bundle: path and manifest.
        task: the bundle's own task definition.
        reader, retriever: they share one vision tower; localizer: reads its tokens.
        backbone: linear head on the tower; domain: refuses foreign images.
        profiles: settings and calibration by kind of corpus.
    """

    bundle: Bundle
    task: Task
    reader: Reader
    retriever: Retriever
    localizer: Localizer
    backbone: LinearHead
    domain: DomainHead
    profiles: Mapping[CorpusKind, Profile]

    def profile(self, simulated: bool) -> Profile:
        """Settings for an index; one that was never measured gets the plain defaults."""
        return self.profiles.get("simulated" if simulated else "real", Profile())


def load_bundle(folder: Path, precision: str = "auto") -> BundleParts:
    """Check a bundle's hashes and load its models.

    Args:
        folder: a sealed bundle.
        precision: auto, fp32, bf16, int8 or nf4.

    Raises:
        BundleError: if the bundle is incomplete or altered.
        ConfigError: if there is no such precision.
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
    profiles: dict[CorpusKind, Profile] = {
        kind: Profile(
            EngineSettings.from_dict(each.thresholds),
            Calibration.from_dict(each.calibration),
            each.measured_on,
        )
        for kind, each in manifest.profiles.items()
    }
    logger.info("bundle %s %s runs as %s", manifest.name, manifest.version, chosen.value)
    return BundleParts(
        bundle,
        task_from_dict(json.loads((path / TASK_FILE).read_text(encoding="utf-8"))),
        reader,
        retriever,
        load_localizer(path / "localizer"),
        backbone,
        domain,
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
    prepare_for_answers(parts.reader.model)
    candidates = CandidateIndex.load(index, parts.retriever.fingerprint)
    manifest = parts.bundle.manifest
    profile = parts.profile(candidates.info.simulated)
    rates = {name: rate.rate for name, rate in profile.calibration.error_rates.items()}
    info = EngineInfo(
        bundle=f"{manifest.name} {manifest.version} ({parts.bundle.fingerprint[:SHORT_HASH]})",
        index=f"{candidates.info.name} ({candidates.info.corpus_sha256[:SHORT_HASH]})",
        index_size=len(candidates),
        task=parts.task,
        box_threshold=profile.settings.box_threshold,
        error_rates=rates,
        measured_on=profile.measured_on,
    )
    return Engine(
        reader=parts.reader,
        retriever=parts.retriever,
        localizer=parts.localizer,
        backbone=parts.backbone,
        domain=parts.domain,
        index=candidates,
        task=parts.task,
        settings=profile.settings,
        calibration=profile.calibration,
        info=info,
    )
