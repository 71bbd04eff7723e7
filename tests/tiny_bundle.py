"""A sealed bundle of tiny random models and an index of a dozen simulated cases.

Laid out like the real ones, loaded by the same code, in well under a second. They know nothing.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from jomed_app.data.records import CaseRecord
from jomed_app.data.sources.foreign import foreign_images
from jomed_app.data.tasks import load_task
from jomed_app.inference.load import READER_FILE, TASK_FILE, load_bundle
from jomed_app.models.heads import DomainHead, save_heads
from jomed_app.models.localizer.localizer import Localizer, LocalizerConfig
from jomed_app.models.reader.packed import PackedReader
from jomed_app.models.retriever.embedded import EmbeddedRetriever
from jomed_app.retrieval.build import build_index
from jomed_app.simulator import simulate_case, write_cases
from jomed_app.storage.bundle import write_manifest
from jomed_app.training.heads import fit_linear_head
from tests.tiny_models import (
    TINY_LOCATION_BINS,
    build_tiny_reader,
    build_tiny_retriever,
    build_tiny_tower,
)

SIZE_PX = 96
NUM_CASES = 12
FIRST_FRESH_SEED = 900_000  # queries that no index holds
TINY_CALIBRATION: dict[str, Any] = {
    "scaling": {"temperature": 0.8, "bias": []},
    "reliability": {
        "edges": [0.5],
        "counts": [20, 20],
        "num_correct": [9, 15],
        "mean_probability": [0.45, 0.8],
    },
    "conformal": {"alpha": 0.1, "threshold": 0.9, "num_cases": 40},
    "error_rates": {
        "consistent": {"num_cases": 10, "num_errors": 2, "rate": 0.2, "interval": [0.06, 0.51]}
    },
    "standing_errors": {
        "consistent": {"num_cases": 30, "num_errors": 6, "rate": 0.2, "interval": [0.1, 0.37]},
        "overruled": {"num_cases": 29, "num_errors": 9, "rate": 0.31, "interval": [0.17, 0.49]},
    },
    "boxes": {
        "bias": -0.5,
        "finding": 0.75,
        "presence": 0.25,
        "dense": 0.125,
        "operating_points": [
            {"threshold": 0.25, "false_share": 0.5, "found_share": 0.9},
            {"threshold": 0.5, "false_share": 0.25, "found_share": 0.8},
        ],
    },
}


def simulated_png(seed: int, kind: str | None = None, size_px: int = SIZE_PX) -> bytes:
    """One simulated image as the bytes of a PNG file."""
    return png_bytes(simulate_case(seed, kind, size_px).image)


def png_bytes(image: np.ndarray[Any, np.dtype[np.uint8]]) -> bytes:
    """An image as the bytes of a PNG file."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def write_tiny_corpus(folder: Path, count: int = NUM_CASES, seed: int = 0) -> list[CaseRecord]:
    """Simulate a few small cases."""
    return write_cases(count, folder, seed=seed, size_px=SIZE_PX, workers=1)


def write_tiny_bundle(
    folder: Path,
    corpus: Path,
    records: list[CaseRecord],
    *,
    thresholds: Mapping[str, float] | None = None,
    calibration: Mapping[str, Any] | None = None,
    standard: Mapping[str, Any] | None = None,
    has_moved_heads: bool = False,
) -> Path:
    """Write and seal a bundle; its small heads are fitted on the corpus and foreign images.

    With `has_moved_heads` its query heads turn queries far away, in place of training.
    """
    task = load_task("breast")
    reader = build_tiny_reader(0, task.answer_words)
    retriever = build_tiny_retriever(0)
    if has_moved_heads:
        move_query_heads(retriever)
    reader.model.to(torch.bfloat16)  # as exported: every precision then loads the same numbers
    reader.model.save_pretrained(folder / "reader")
    reader.tokenizer.save_pretrained(folder / "reader")
    retriever.projections.save_pretrained(folder / "retriever" / "projections")
    retriever.passages.model.save_pretrained(folder / "retriever" / "passages")
    retriever.passages.tokenizer.save_pretrained(folder / "retriever" / "passages")
    build_tiny_localizer(reader.location_bins).save_pretrained(folder / "localizer")
    values = {"location_bins": reader.location_bins, "candidate_pool": reader.candidate_pool}
    (folder / READER_FILE).write_text(json.dumps(values), encoding="utf-8")
    (folder / TASK_FILE).write_text(task.model_dump_json(), encoding="utf-8")
    save_tiny_heads(folder / "heads", reader, retriever, corpus, records)
    write_manifest(
        folder,
        name="tiny",
        version="1",
        task=task.name,
        labels=task.labels,
        profiles={
            "simulated": {
                "thresholds": {"k_per_head": 2, "domain_probability": 0.5} | dict(thresholds or {}),
                "calibration": dict(TINY_CALIBRATION if calibration is None else calibration),
                "measured_on": "40 tiny images",
            }
            | ({} if standard is None else {"standard": dict(standard)})
        },
    )
    return folder


def move_query_heads(retriever: EmbeddedRetriever, seed: int = 0) -> None:
    """Give both query heads random weights, strong enough that other cases are found."""
    retriever.projections.config.query_mix = 0.5
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for head in retriever.projections.query_heads.values():
            torch.nn.init.normal_(head.weight)


def build_tiny_localizer(location_bins: int = TINY_LOCATION_BINS) -> Localizer:
    """A localizer of random weights behind the tiny tower's early stages."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        localizer = Localizer(
            LocalizerConfig(
                image_size=160,
                tower_width=0.1,
                width=24,
                location_bins=location_bins,
                distance_bins=8,
                num_layers=1,
            )
        )
        localizer.start_from(build_tiny_tower())
    return localizer.eval()


def save_tiny_heads(
    folder: Path,
    reader: PackedReader,
    retriever: EmbeddedRetriever,
    corpus: Path,
    records: list[CaseRecord],
) -> None:
    """Fit the linear baseline and a domain check that knows patterns and photographs."""
    images = [np.asarray(Image.open(corpus / each.image).convert("RGB")) for each in records]
    fresh = [simulate_case(seed, size_px=SIZE_PX).image for seed in range(700_000, 700_012)]
    images += [np.repeat(each[..., None], 3, axis=-1) for each in fresh]
    outside = [each for place, each in enumerate(foreign_images(None)) if place % 5 == 0]
    tower = EmbeddedRetriever(
        reader.model.model.vision_tower,
        retriever.passages,
        retriever.projections,
    )
    inside = tower.features(tower.tower_tokens(images))
    foreign = tower.features(tower.tower_tokens(outside))
    labels = [load_task("breast").labels.index(each.label) for each in records]
    domain = DomainHead(
        fit_linear_head(
            np.concatenate([foreign, inside]),
            np.repeat([0, 1], [len(foreign), len(inside)]).astype(np.intp),
            1.0,
        ),
        inside.mean(0),
        np.eye(inside.shape[1], dtype=np.float32),
        inside.var(0) + 1e-6,
        radius=200.0,  # the classifier alone decides: two dozen images tell little of a spread
    )
    backbone = fit_linear_head(inside[: len(records)], np.array(labels, dtype=np.intp))
    save_heads(folder, backbone, domain)


def write_tiny_index(out: Path, bundle: Path, corpus: Path, records: list[CaseRecord]) -> Path:
    """Index the corpus with the bundle's encoders."""
    parts = load_bundle(bundle, "fp32")
    build_index(records, corpus, parts.retriever, out, name="tiny index")
    return out
