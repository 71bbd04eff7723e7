"""Boxes: XYXY, float pixels of the image they came from, half-open, x0 < x1 and y0 < y1."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jomed_app.errors import BoxError


@dataclass(frozen=True, slots=True)
class Box:
    """An axis-aligned box, px, half-open: covers x0 <= x < x1 and y0 <= y < y1.

    Raises:
        BoxError: if a coordinate is not finite or the box is empty or inverted.
    """

    x0: float
    y0: float
    x1: float
    y1: float

    def __post_init__(self) -> None:
        values = (self.x0, self.y0, self.x1, self.y1)
        if not all(math.isfinite(value) for value in values):
            raise BoxError(f"a box must have finite coordinates, found {values}; check its source")
        if self.x0 >= self.x1 or self.y0 >= self.y1:
            raise BoxError(f"a box must have x0 < x1 and y0 < y1, found {values}; order is XYXY")

    @property
    def width(self) -> float:
        """x1 - x0, px."""
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        """y1 - y0, px."""
        return self.y1 - self.y0

    @property
    def area(self) -> float:
        """Width times height, px²."""
        return self.width * self.height

    @property
    def center(self) -> tuple[float, float]:
        """(x, y) of the middle, px."""
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2

    def scaled(self, x_factor: float, y_factor: float) -> Box:
        """Return the same region after the image was resized by these factors (> 0)."""
        return Box(self.x0 * x_factor, self.y0 * y_factor, self.x1 * x_factor, self.y1 * y_factor)

    def shifted(self, x_offset: float, y_offset: float) -> Box:
        """Return the box moved by an offset in px."""
        return Box(self.x0 + x_offset, self.y0 + y_offset, self.x1 + x_offset, self.y1 + y_offset)

    def flipped(self, columns: float) -> Box:
        """Return the box after the image of this width (px) was mirrored left to right."""
        return Box(columns - self.x1, self.y0, columns - self.x0, self.y1)

    def clipped(self, columns: float, rows: float) -> Box | None:
        """Return the part inside an image of this size in px, or None when nothing is left."""
        x0, y0 = max(0.0, self.x0), max(0.0, self.y0)
        x1, y1 = min(float(columns), self.x1), min(float(rows), self.y1)
        return Box(x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None

    def as_tuple(self) -> tuple[float, float, float, float]:
        """(x0, y0, x1, y1), px."""
        return self.x0, self.y0, self.x1, self.y1


def iou(first: Box, second: Box) -> float:
    """Return intersection over union in [0, 1]; boxes that merely touch give 0."""
    width = min(first.x1, second.x1) - max(first.x0, second.x0)
    height = min(first.y1, second.y1) - max(first.y0, second.y0)
    if width <= 0 or height <= 0:
        return 0.0
    intersection = width * height
    return intersection / (first.area + second.area - intersection)


def iou_matrix(first: Sequence[Box], second: Sequence[Box]) -> NDArray[np.float64]:
    """Return the (N, M) matrix of pairwise IoU, each in [0, 1]."""
    return np.array([[iou(a, b) for b in second] for a in first], dtype=np.float64).reshape(
        len(first), len(second)
    )
