"""Export: from a finished run to a sealed bundle that the engine loads."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from jomed_app.config.load import config_to_dict, read_stored_config
from jomed_app.data.corpus import corpus_hash
from jomed_app.data.licences import is_noncommercial, licence_of
from jomed_app.data.records import CaseRecord
from jomed_app.data.sources.foreign import foreign_images
from jomed_app.data.wording.prompts import NO_REFERENCE, candidate_text, query_text
from jomed_app.errors import BundleError
from jomed_app.inference.calibration.profile import read_profile
from jomed_app.models.adapters import merge_lora
from jomed_app.models.heads import save_heads
from jomed_app.models.loading import Precision, store_quantized, store_quantized_encoder
from jomed_app.models.localizer.localizer import load_localizer
from jomed_app.models.number_type import compute_dtype
from jomed_app.models.pixels import letterbox, to_pixel_values
from jomed_app.models.reader.packed import PackedReader
from jomed_app.models.retriever.embedded import RetrieverProjections, store_fingerprint
from jomed_app.models.towers.tokens import pool_tokens
from jomed_app.progress import OnProgress
from jomed_app.storage.bundle import (
    BaseWeights,
    BundleManifest,
    TrainingData,
    TrainingInfo,
    check_size_limit,
    write_manifest,
)
from jomed_app.storage.durable import whole_folder, write_file
from jomed_app.training.base_weights.towers import packages_of
from jomed_app.training.cases.table import load_reader_table
from jomed_app.training.heads import fit_domain_head, fit_linear_head
from jomed_app.training.model_card import write_card
from jomed_app.training.run.loop import no_progress
from jomed_app.training.run.workspace import Workspace
from jomed_app.types import CorpusKind

logger = logging.getLogger(__name__)

CONFIG_FILE = "config.json"
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
STEPS = ("reader", "heads", "seal")
FOLDER_KEYS = {"data", "start", "start_from"}  # settings that name a folder


def write_config(run: Path, config: Any) -> None:
    """Keep the resolved configuration beside what it produced."""
    write_file(run / CONFIG_FILE, json.dumps(config_to_dict(config), indent=1))


def make_bundle(
    run: Path,
    out: Path,
    *,
    name: str = "breast-embedded",
    version: str = "1",
    on_progress: OnProgress = no_progress,
) -> BundleManifest:
    """Merge adapters, quantize, fit the small heads, write the model card, seal.

    Args:
        run: folder that training wrote to, with `config.json` and `cv/settings.json`.
        out: bundle folder; an older one is replaced once the new one is whole.
        name: as shown on screen.
        version: as shown on screen.
        on_progress: called after every step.

    Raises:
        BundleError: if a part of the run is missing, or the bundle exceeds 64 MiB.
        StorageError: if there is no room or no permission.
    """
    _require(run, CONFIG_FILE)
    work = Workspace(run, read_stored_config(run / CONFIG_FILE))
    has_real = bool(work.config.train_reader.data)
    checkpoint = work.shipped
    located = work.chosen_localizer(checkpoint)
    parts = [f"reader/{checkpoint}", located.relative_to(run).as_posix()]
    _require(run, *parts, *(["cv/settings.json"] if has_real else []))
    with whole_folder(out) as folder:
        manifest = _fill(folder, work, name, version, on_progress)
        check_size_limit(manifest)
    on_progress(3, len(STEPS))
    return manifest


def _fill(
    folder: Path, work: Workspace, name: str, version: str, on_progress: OnProgress
) -> BundleManifest:
    """Write every part of a bundle into an empty folder and seal it."""
    run, checkpoint, has_real = work.root, work.shipped, bool(work.config.train_reader.data)
    located = work.chosen_localizer(checkpoint)
    reader, adapted = work.trainable_reader(work.chosen_reader(checkpoint))
    merge_lora(adapted)
    reader.model.to(torch.bfloat16)  # type: ignore[arg-type]
    plain = run / "export"
    reader.model.save_pretrained(plain)
    reader.tokenizer.save_pretrained(plain)
    stored = Precision(work.config.tower.storage)
    store_quantized(plain, folder / "reader", TOKENIZER_FILES, tower=stored)
    store_quantized_encoder(work.base("passages"), folder / "retriever" / "passages")
    _forget_folders(folder)
    reader.model.to(compute_dtype())  # type: ignore[arg-type]
    on_progress(1, len(STEPS))

    table = load_reader_table(work, reader)
    held_out = work.config.train_reader.shipped_fold if has_real else -1
    fold = held_out if held_out >= 0 else None
    heads = work.retriever(checkpoint) / "seed0" / "projections"
    has_heads = (heads / "config.json").is_file()
    projections = (
        RetrieverProjections.from_pretrained(heads) if has_heads else table.fold_projections(fold)
    )
    projections.save_pretrained(folder / "retriever" / "projections")
    features = pool_tokens(table.tokens, reader.tower.config).numpy()
    labels = np.array([work.task.labels.index(r.label) for r in table.records], dtype=np.intp)
    rows = table.taught_rows(fold)
    root = Path(work.config.train_reader.data) if has_real else None
    outside = _features_of(reader, foreign_images(root))
    seen = table.training_rows(fold) if has_real else rows  # which image is one is no label
    inside = features[np.union1d(table.simulated, seen)]
    domain = fit_domain_head(inside, outside)
    head = fit_linear_head(features[rows], labels[rows], num_labels=len(work.task.labels))
    save_heads(folder / "heads", head, domain)
    on_progress(2, len(STEPS))

    load_localizer(located, torch.bfloat16).save_pretrained(folder / "localizer")
    (folder / "task.json").write_text(work.task.model_dump_json(indent=1), encoding="utf-8")
    store_fingerprint(folder / "retriever")
    values = {
        "location_bins": reader.location_bins,
        "candidate_pool": reader.candidate_pool,
    }
    (folder / "reader.json").write_text(json.dumps(values), encoding="utf-8")
    metrics = _metrics(run)
    real = [table.records[int(row)] for row in table.labeled_rows(fold)] if has_real else []
    data = _training_data(work, real)
    write_card(folder, name, version, work, data, metrics)
    return write_manifest(
        folder,
        name=name,
        version=version,
        task=work.task.name,
        labels=work.task.labels,
        prompts={
            "query": query_text("{question}"),
            "candidate": candidate_text("{label}", "{passage}"),
            "no_candidate": NO_REFERENCE,
        },
        profiles=_profiles(run, work.config.index.k_per_head, has_heads) if has_real else {},
        training=TrainingInfo(
            stages=_stages_run(work, checkpoint),
            seeds={
                "align": work.config.align.seed,
                "reader": work.config.train_reader.seed,
                "folds": work.config.train_reader.fold_seed,
                "simulation": work.config.simulation.seed,
            },
            configs=_without_paths(config_to_dict(work.config)),
        ),
        training_data=data,
        metrics=metrics,
        base_weights=[
            BaseWeights(name=each.name, version=each.version, licence=each.licence)
            for each in packages_of(work.config.tower)
        ],
    )


def _profiles(run: Path, k_per_head: int, has_heads: bool) -> dict[CorpusKind, dict[str, Any]]:
    """What was fitted on held-out cases, by kind of corpus, as the manifest holds it.

    Without trained heads in the bundle, what was fitted for the standard search is its profile.
    """
    stored = _read_json(run / "cv" / "settings.json")
    found: dict[CorpusKind, dict[str, Any]] = {}
    for kind, each in stored.items():
        standard = each.get("standard")
        chosen = each if has_heads or not standard else standard
        profile = _fitted(chosen, k_per_head)
        if has_heads and standard:
            profile["standard"] = _fitted(standard, k_per_head)
        found[kind] = read_profile(profile).to_dict()
    return found


def _fitted(stored: dict[str, Any], k_per_head: int) -> dict[str, Any]:
    """The profile among what was fitted, with the hits per search of the run."""
    return {
        "thresholds": stored["thresholds"] | {"k_per_head": k_per_head},
        "calibration": stored["calibration"],
        "measured_on": stored["measured_on"],
    }


def _stages_run(work: Workspace, checkpoint: str) -> tuple[str, ...]:
    """The stages whose output the bundle carries, in order."""
    rewards = ("rewards",) if work.config.train_rewards.ship else ()
    retriever = ("retriever",) if work.retriever(checkpoint).is_dir() else ()
    return ("align", "reader", *rewards, *retriever)


def _require(run: Path, *names: str) -> None:
    for name in names:
        if not (run / name).exists():
            raise BundleError(f"a bundle requires '{name}' in the run's folder; finish training")


@torch.inference_mode()
def _features_of(reader: PackedReader, images: Iterator[NDArray[np.uint8]]) -> NDArray[np.float32]:
    rows = []
    for image in images:
        pixels = to_pixel_values([letterbox(image, reader.image_size)])
        tokens = reader.encode_pixels(pixels)[0].tokens
        rows.append(pool_tokens(tokens[None], reader.tower.config)[0].numpy())
    return np.stack(rows).astype(np.float32)


def _forget_folders(folder: Path) -> None:
    """Drop the paths that transformers notes in nested configurations."""
    for path in folder.rglob("config.json"):
        values = json.loads(path.read_text(encoding="utf-8"))
        for part in (values, *(each for each in values.values() if isinstance(each, dict))):
            part.pop("_name_or_path", None)
        path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def _without_paths(values: dict[str, Any]) -> dict[str, Any]:
    """A manifest tells no folder or address of the machine that trained it."""
    del values["app"]
    for table in values.values():
        for key in FOLDER_KEYS & table.keys():
            table[key] = bool(table[key])
    return values


def _training_data(work: Workspace, real: Sequence[CaseRecord]) -> list[TrainingData]:
    data = []
    for name in ("align", "reader"):
        cases = work.simulated(name)
        data.append(
            TrainingData(name=f"simulated {name}", sha256=corpus_hash(cases), cases=len(cases))
        )
    if real:
        source = real[0].provenance.get("source", "real cases")
        data.append(
            TrainingData(
                name=source,
                sha256=corpus_hash(real),
                cases=len(real),
                licence=licence_of(real[0]) if is_noncommercial(real[0]) else "",
            )
        )
    return data


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BundleError(
            f"a bundle requires what its run measured, found '{path.name}' damaged; measure again"
        ) from error


def _metrics(run: Path) -> dict[str, Any]:
    """Out-of-fold figures of each system, as the reports hold them."""
    metrics: dict[str, Any] = {}
    for name in ("report", "report.binary", "report.index", "report.index.binary"):
        if not (run / "cv" / f"{name}.json").is_file():
            continue
        report = _read_json(run / "cv" / f"{name}.json")
        kept = ("accuracy", "auroc", "inconsistent_rate", "oracle_accuracy", "mean_iou", "iou50")
        metrics[f"{report['task']}, {report['index']}"] = {
            system: {key: values[key] for key in kept if values.get(key) is not None}
            for system, values in report["systems"].items()
        }
    return metrics
