"""Features of a frozen tower, computed once for a whole set in a few views and kept on disk.

Ours: a tower that does not learn says the same of a picture at every step, so what learns behind
it need not run it. A file holds one set: its name is a hash of the tower's weights, the pictures,
the views and the number type, so nothing stale is ever read; it is mapped into memory, since the
maps of a set may be larger than it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from jomed_app.models.number_type import compute_dtype, dtype_name
from jomed_app.models.towers.families import VisionTower
from jomed_app.progress import OnProgress
from jomed_app.storage.durable import write_file
from jomed_app.training.cases.augment import Motion, draw_motion, move, move_boxes
from jomed_app.training.cases.image_set import ImageSet
from jomed_app.training.run.loop import no_progress

NOTED_EVERY = 16  # batches between two notes of how far a file is filled


@dataclass(frozen=True, slots=True)
class Views:
    """Which views of a picture are kept: the picture itself, and random ones behind it.

    Attributes:
        count: at least 1; seed: of the random ones.
        limits: of `draw_motion`, by name.
    """

    count: int = 1
    seed: int = 0
    limits: dict[str, float] = field(default_factory=dict)

    def motion(self, view: int, pictures: Sequence[str]) -> Motion:
        """How pictures are seen in a view >= 1: by seed, view and picture alone."""
        return Motion.joined(
            [
                draw_motion(1, torch.Generator().manual_seed(_number(each, view, self.seed)),
                            **self.limits)  # type: ignore[arg-type]
                for each in pictures
            ]
        )  # fmt: skip


@torch.no_grad()
def keep_features(
    tower: VisionTower,
    see: Callable[[Tensor], Tensor],
    images: ImageSet,
    boxes: Tensor,
    views: Views,
    folder: Path | None,
    *,
    batch_size: int = 16,
    on_progress: OnProgress = no_progress,
) -> tuple[Tensor, Tensor]:
    """Compute what a frozen tower says of every picture in every view, or read it.

    Args:
        tower: frozen.
        see: what is asked of it: pixels (B, 3, S, S) -> features (B, ...); its name tells it apart.
        images: N letterboxed pictures.
        boxes: (N, ..., 4) XYXY on the unit square, NaN for none; moved along.
        views: V of them.
        folder: where the file is kept; None keeps the features in memory.
        batch_size: pictures at a time.
        on_progress: called after every batch.

    Returns:
        Features (V, N, ...) bf16, mapped from the file, and boxes (V, N, ..., 4).
    """
    pictures = [_digest(square.tobytes()) for square in images.squares]
    moved = [boxes] + [
        move_boxes(boxes, views.motion(view, pictures)) for view in range(1, views.count)
    ]
    side = images.squares[0].shape[0]
    shape = (views.count, len(pictures), *see(torch.zeros(1, 3, side, side)).shape[1:])
    told = [
        see.__name__,
        *tower_words(tower),
        views,
        dtype_name(compute_dtype()),
        str(tower.dtype),
        pictures,
    ]
    file = _FeatureFile(folder, _digest(repr(told).encode()), shape)
    batches = [
        (view, first)
        for view in range(views.count)
        for first in range(0, len(pictures), batch_size)
    ]
    for number, (view, first) in enumerate(batches):
        rows = range(first, min(first + batch_size, len(pictures)))
        stop = view * len(pictures) + rows.stop
        if stop > file.done:
            pixels = images.pixel_values(rows)
            if view:
                motion = views.motion(view, [pictures[row] for row in rows])
                pixels = move(pixels, boxes[first : rows.stop], motion).pixel_values
            file.rows[view, first : rows.stop] = see(pixels).to(torch.bfloat16)
            is_last = number == len(batches) - 1
            if is_last or number % NOTED_EVERY == 0:
                file.note(stop)
        on_progress(stop, shape[0] * shape[1])
    return file.rows, torch.stack(moved)


def keep_tokens(
    tower: VisionTower,
    images: ImageSet,
    views: Views,
    folder: Path | None,
    *,
    batch_size: int = 16,
    on_progress: OnProgress = no_progress,
) -> tuple[Tensor, Tensor]:
    """Tokens (V, N, T, C) of a frozen tower and boxes (V, N, 4); see `keep_features`."""

    def tokens(pixels: Tensor) -> Tensor:
        seen: Tensor = tower(pixels.to(tower.device, tower.dtype)).last_hidden_state
        return seen

    return keep_features(
        tower,
        tokens,
        images,
        images.boxes,
        views,
        folder,
        batch_size=batch_size,
        on_progress=on_progress,
    )


def tower_words(tower: VisionTower) -> list[str]:
    """A tower's shape and a hash of all its weights."""
    digest = hashlib.sha256()
    for name, value in sorted(tower.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.float().contiguous().numpy().tobytes())
    return [tower.config.to_json_string(), digest.hexdigest()]


class _FeatureFile:
    """A file of bf16 features, filled from its beginning, mapped into memory."""

    def __init__(self, folder: Path | None, name: str, shape: tuple[int, ...]) -> None:
        self.done = 0
        if folder is None:
            self._noted = None
            self.rows = torch.empty(shape, dtype=torch.bfloat16)
            return
        folder.mkdir(parents=True, exist_ok=True)
        path, self._noted = folder / f"{name}.bf16", folder / f"{name}.json"
        size = math.prod(shape) * torch.bfloat16.itemsize
        if path.is_file() and path.stat().st_size == size and self._noted.is_file():
            self.done = int(json.loads(self._noted.read_bytes())["done"])
        self._mapped: NDArray[Any] = np.memmap(
            path, np.int16, mode="r+" if self.done else "w+", shape=shape
        )
        self.rows = torch.from_numpy(self._mapped).view(torch.bfloat16)

    def note(self, done: int) -> None:
        """What was written so far is there after a stop: the rows first, then how many."""
        self.done = done
        if self._noted is not None:
            self._mapped.flush()  # type: ignore[attr-defined]
            write_file(self._noted, json.dumps({"done": done}))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def _number(picture: str, view: int, seed: int) -> int:
    """A seed of a picture's view."""
    return int(_digest(f"{picture} {view} {seed}".encode())[:15], 16)
