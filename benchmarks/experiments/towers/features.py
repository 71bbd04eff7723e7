"""Frozen features of whole sets, computed once and kept in files."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from jomed_app.data.records import CaseRecord
from jomed_app.imaging import read_image
from jomed_app.models.number_type import autocast
from jomed_app.models.pixels import letterbox, to_pixel_values
from jomed_app.models.towers.families import VisionTower
from jomed_app.models.towers.tokens import patch_tokens
from jomed_app.progress import OnProgress
from jomed_app.training.run.loop import no_progress

BATCH_SIZE = 8
MEAN, CLASS, BOTH = "patch mean", "class token", "class token and patch mean"


@torch.inference_mode()
def features_of(
    tower: VisionTower,
    folder: Path,
    records: Sequence[CaseRecord],
    kept: Path,
    on_progress: OnProgress = no_progress,
) -> dict[str, NDArray[np.float32]]:
    """Class token, where there is one, and patch mean of every image, (N, F) each.

    Args:
        tower: frozen.
        folder: that the images' paths start from.
        records: the cases.
        kept: file that the features are kept in; where it is there, it is read.
        on_progress: called after every batch.
    """
    if not kept.is_file():
        rows: dict[str, list[NDArray[np.float32]]] = {}
        for start in range(0, len(records), BATCH_SIZE):
            batch = records[start : start + BATCH_SIZE]
            with autocast():
                tokens = tower(_pixels(tower, folder, batch)).last_hidden_state.float()
            shape = tower.config
            seen = patch_tokens(tokens, shape)[..., : shape.hidden_size - shape.position_dim]
            rows.setdefault(MEAN, []).append(seen.mean(1).numpy())
            if shape.num_leading:
                rows.setdefault(CLASS, []).append(tokens[:, 0].numpy())
            on_progress(start + len(batch), len(records))
        np.savez(kept, **{name: np.concatenate(each) for name, each in rows.items()})  # type: ignore[arg-type]
    with np.load(kept) as stored:
        found = {name: stored[name] for name in stored.files}
    if CLASS in found:
        found[BOTH] = np.concatenate([found[CLASS], found[MEAN]], axis=1)
    return found


@torch.inference_mode()
def milliseconds(
    towers: Sequence[VisionTower], folder: Path, records: Sequence[CaseRecord]
) -> list[float]:
    """Median time of one image in every tower, taken in turns, so that all meet the same load."""
    seconds: list[list[float]] = [[] for _ in towers]
    for record in records:
        for place, tower in enumerate(towers):
            pixels = _pixels(tower, folder, [record])
            start = time.perf_counter()
            with autocast():
                tower(pixels)
            seconds[place].append(time.perf_counter() - start)
    return [1000 * float(np.median(each)) for each in seconds]


def _pixels(tower: VisionTower, folder: Path, records: Sequence[CaseRecord]) -> torch.Tensor:
    side = int(tower.config.image_size)  # type: ignore[arg-type]
    images = [read_image(each.image_in(folder), region=None).model_input for each in records]
    return to_pixel_values([letterbox(each, side) for each in images])
