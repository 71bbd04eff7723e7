"""From a decoded image to the tower's input: letterboxed, so that proportions stay true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from jomed_app.boxes import Box
from jomed_app.types import ImageRecord

PIXEL_MEAN = 127.0  # EfficientNet-Lite was trained on (x - 127) / 128, RGB
PIXEL_SCALE = 128.0


@dataclass(frozen=True, slots=True)
class Letterbox:
    """How an image of `rows` x `columns` px lies, centered, in a black square of `side` px.

    Its boxes are in px of the file that it was cut from, at `left`, `top`.
    """

    rows: int
    columns: int
    side: int
    left: int = 0
    top: int = 0

    @classmethod
    def of_record(cls, image: ImageRecord, side: int) -> Letterbox:
        """Return how the region that is read of a picture lies in the square."""
        rows, columns = image.size_px
        region = image.info.region
        return cls(rows, columns, side, region.x0 if region else 0, region.y0 if region else 0)

    @property
    def scale(self) -> float:
        """Square px per image px."""
        return self.side / max(self.rows, self.columns)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the resized image, px."""
        return max(1, round(self.columns * self.scale)), max(1, round(self.rows * self.scale))

    @property
    def offset(self) -> tuple[int, int]:
        """(x, y) of its upper left corner in the square, px."""
        width, height = self.size
        return (self.side - width) // 2, (self.side - height) // 2

    def to_unit(self, box: Box) -> Box:
        """Px of the file -> unit square."""
        (width, height), (left, top) = self.size, self.offset
        moved = (
            box.shifted(-self.left, -self.top)
            .scaled(width / self.columns, height / self.rows)
            .shifted(left, top)
        )
        return moved.scaled(1 / self.side, 1 / self.side)

    def to_image(self, box: Box) -> Box | None:
        """Unit square -> px of the file, clipped to the image; None when it is in the margin."""
        (width, height), (left, top) = self.size, self.offset
        moved = box.scaled(self.side, self.side).shifted(-left, -top)
        inside = moved.scaled(self.columns / width, self.rows / height).clipped(
            self.columns, self.rows
        )
        return inside.shifted(self.left, self.top) if inside else None


def letterbox(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Resize (rows, columns, 3) RGB to fit a black (side, side, 3) square, proportions kept."""
    rows, columns = image.shape[:2]
    place = Letterbox(rows, columns, side)
    if place.size == (columns, rows) == (side, side):
        return image
    square = Image.new("RGB", (side, side))
    # Halving first keeps antialiasing and makes large films cheap to shrink.
    # Channel by channel, and one alone where all share it: the same levels, and a large picture is
    # not copied into Pillow's four bytes a pixel.
    shown = range(1) if image.strides[2] == 0 else range(3)
    channels = [
        Image.fromarray(np.ascontiguousarray(image[:, :, each])).resize(
            place.size, Image.Resampling.BILINEAR, reducing_gap=2.0
        )
        for each in shown
    ]
    resized = channels[0].convert("RGB") if len(channels) == 1 else Image.merge("RGB", channels)
    square.paste(resized, place.offset)
    return np.asarray(square)


def to_pixel_values(squares: Sequence[NDArray[np.uint8]]) -> Tensor:
    """Stack (S, S, 3) uint8 squares to (B, 3, S, S) float32 as the tower expects them."""
    stacked = torch.from_numpy(np.stack(squares))
    pixels = stacked.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
    return (pixels.float() - PIXEL_MEAN) / PIXEL_SCALE
