"""Cases whose start maps are computed once, in a few random views each, and drawn in batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from jomed_app.data.records import CaseRecord
from jomed_app.data.tasks import Task
from jomed_app.models.number_type import autocast
from jomed_app.models.pixels import Letterbox
from jomed_app.models.towers.families import VisionTower
from jomed_app.progress import OnProgress
from jomed_app.training.cases.image_set import ImageSet
from jomed_app.training.cases.kept_features import Views, keep_features
from jomed_app.training.run.loop import no_progress

MOST_BOXES = 4  # per image
ZOOM, SHIFT, STRETCH = 0.3, 0.12, 0.15  # ours: of a view


@dataclass(frozen=True, slots=True)
class KeptCases:
    """Start maps of V views per case, the first one unchanged.

    Attributes:
        maps: (V, N, C, h, w) bf16.
        boxes: (V, N, K, 4) XYXY on the unit square, largest first, NaN for none.
        labels: (N,) positions in the task's labels.
    """

    maps: Tensor
    boxes: Tensor
    labels: Tensor


@dataclass(frozen=True, slots=True)
class Part:
    """Cases that make up a share of every batch.

    Attributes:
        cases: kept views.
        rows: cases that may be seen.
        share: of a batch, in (0, 1]; the first part takes what rounding leaves.
    """

    cases: KeptCases
    rows: NDArray[np.int64]
    share: float = 1.0


def unit_boxes(records: Sequence[CaseRecord], side: int) -> Tensor:
    """Return (N, K, 4) boxes on the unit square of a letterboxed input, NaN for none."""
    boxes = torch.full((len(records), MOST_BOXES, 4), torch.nan)
    for row, record in enumerate(records):
        place = Letterbox(record.rows, record.columns, side)
        for number, box in enumerate(record.box_list[:MOST_BOXES]):
            boxes[row, number] = torch.tensor(place.to_unit(box).as_tuple())
    return boxes


@torch.no_grad()
def keep_cases(
    tower: VisionTower,
    images: ImageSet,
    task: Task,
    num_views: int,
    seed: int,
    *,
    folder: Path | None = None,
    batch_size: int = 16,
    on_progress: OnProgress = no_progress,
) -> KeptCases:
    """Compute the start maps of every image unchanged and in `num_views - 1` random views.

    Args:
        tower: gives the start maps.
        images: letterboxed to the side that the localizer reads.
        task: order of the labels.
        num_views: at least 1.
        seed: of the views.
        folder: where the maps are kept on disk; None keeps them in memory.
        batch_size: images at a time.
        on_progress: called after every batch.
    """
    side = images.squares[0].shape[0]

    def start_map(pixels: Tensor) -> Tensor:
        with autocast():
            return tower.start_map(pixels)

    maps, boxes = keep_features(
        tower,
        start_map,
        images,
        unit_boxes(images.records, side),
        Views(num_views, seed, {"zoom": ZOOM, "shift": SHIFT, "stretch": STRETCH}),
        folder,
        batch_size=batch_size,
        on_progress=on_progress,
    )
    labels = [task.labels.index(record.label) for record in images.records]
    return KeptCases(maps, boxes, torch.tensor(labels))


def draw_batch(
    parts: Sequence[Part], batch_size: int, seed: int, step: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw one step's maps, boxes and labels: every case once per round, each in a random view.

    Args:
        parts: each gives its share.
        batch_size: cases in all.
        seed: of order and views.
        step: its number; the same number gives the same batch.
    """
    counts = [round(batch_size * part.share) for part in parts[1:]]
    counts.insert(0, batch_size - sum(counts))
    drawn: list[tuple[Tensor, Tensor, Tensor]] = []
    for number, (part, count) in enumerate(zip(parts, counts, strict=True)):
        places = np.arange(step * count, (step + 1) * count)
        rounds = {
            turn: np.random.default_rng([seed, number, turn]).permutation(part.rows)
            for turn in {int(place) // len(part.rows) for place in places}
        }
        picked = [rounds[int(each) // len(part.rows)][each % len(part.rows)] for each in places]
        rows = torch.tensor(picked, dtype=torch.long)
        rng = np.random.default_rng([seed, number, step, 1])
        views = torch.from_numpy(rng.integers(len(part.cases.maps), size=count))
        cases = part.cases
        drawn.append((cases.maps[views, rows], cases.boxes[views, rows], cases.labels[rows]))
    maps, boxes, labels = (torch.cat(each) for each in zip(*drawn, strict=True))
    return maps, boxes, labels
