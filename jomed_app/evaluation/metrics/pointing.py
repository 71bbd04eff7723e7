"""The pointing game: does the peak of a heat map, such as attention, lie inside a true box."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jomed_app.boxes import Box


@dataclass(frozen=True, slots=True)
class PointingScores:
    """Figures over the cases that have a true box; NaN without any.

    Attributes:
        hit_rate: share of peaks inside a true box, in [0, 1].
        chance_rate: what peaks at random places would reach, in [0, 1].
        num_cases: cases with a true box.
    """

    hit_rate: float
    chance_rate: float
    num_cases: int


def pointing_hit(heat: ArrayLike, boxes: Sequence[Box]) -> float:
    """Say whether the peak of a heat map lies inside any true box.

    Source: arXiv:1608.00507 (excitation backprop), pointing game.
    Ours: no tolerance around a box; a peak is the center of its cell; of several equal peaks, the
    share that lies inside, so that a flat map scores as chance does.

    Args:
        heat: (rows, columns) finite, higher is hotter; covers the image.
        boxes: on the unit square of the same image.

    Returns:
        1 for a hit, 0 for a miss, a share for equal peaks.

    Raises:
        ValueError: if the heat map has another shape, is empty or holds a value that is not finite.
    """
    values = _checked_heat(heat)
    is_peak = values == values.max()
    return float(_cells_inside(values.shape, boxes)[is_peak].mean())


def pointing_scores(
    heats: Sequence[ArrayLike], references: Sequence[Sequence[Box]]
) -> PointingScores:
    """Play the pointing game over N cases; those without a true box are left out.

    Args:
        heats: a heat map per case, as for `pointing_hit`.
        references: true boxes per case, on the unit square.

    Raises:
        ValueError: if the numbers of cases differ or a heat map is not one.
    """
    if len(heats) != len(references):
        raise ValueError(
            f"every case must have a heat map and its boxes, found {len(heats)} and "
            f"{len(references)}"
        )
    pairs = [(heat, boxes) for heat, boxes in zip(heats, references, strict=True) if boxes]
    if not pairs:
        return PointingScores(math.nan, math.nan, 0)
    hits = [pointing_hit(heat, boxes) for heat, boxes in pairs]
    chances = [_cells_inside(_checked_heat(heat).shape, boxes).mean() for heat, boxes in pairs]
    return PointingScores(float(np.mean(hits)), float(np.mean(chances)), len(pairs))


def peak_hit_rate(
    peaks: Sequence[tuple[float, float]], references: Sequence[Sequence[Box]]
) -> float:
    """Play the pointing game with known peaks; cases without a true box are left out.

    Args:
        peaks: (x, y) per case, px of the image.
        references: true boxes per case, px of the same image.

    Returns:
        Share of peaks inside a true box, in [0, 1]; NaN without a case that has one.

    Raises:
        ValueError: if the numbers of cases differ.
    """
    if len(peaks) != len(references):
        raise ValueError(
            f"every case must have a peak and its boxes, found {len(peaks)} and {len(references)}"
        )
    hits = [
        any(box.x0 <= x < box.x1 and box.y0 <= y < box.y1 for box in boxes)
        for (x, y), boxes in zip(peaks, references, strict=True)
        if boxes
    ]
    return float(np.mean(hits)) if hits else math.nan


def _checked_heat(heat: ArrayLike) -> NDArray[np.float64]:
    """A heat map as an array."""
    values = np.asarray(heat, dtype=np.float64)
    if values.ndim != 2 or not values.size:
        raise ValueError(f"a heat map must be (rows, columns), found {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("a heat map must hold finite values, found others; check its source")
    return values


def _cells_inside(shape: tuple[int, ...], boxes: Sequence[Box]) -> NDArray[np.bool_]:
    """(rows, columns), True where the center of a cell lies in a box."""
    rows, columns = shape
    y = ((np.arange(rows) + 0.5) / rows)[:, None]
    x = ((np.arange(columns) + 0.5) / columns)[None, :]
    inside = np.zeros((rows, columns), dtype=bool)
    for box in boxes:
        inside |= (box.x0 <= x) & (x < box.x1) & (box.y0 <= y) & (y < box.y1)
    return inside
