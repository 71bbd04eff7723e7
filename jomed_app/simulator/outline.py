"""Outlines of masses: shape, orientation and margin as a radius around the center."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from jomed_app.simulator.fields import FloatImage, rows_and_columns

ANGLES = 1440


@dataclass(frozen=True, slots=True)
class Outline:
    """A star-shaped outline.

    Attributes:
        center: (row, column), px.
        semi_axes: (axial, lateral) half-lengths of the base ellipse, px.
        tilt: rotation of the base ellipse, radians.
        edge: (ANGLES,) radius relative to the ellipse, for angles from -pi to pi.
    """

    center: tuple[float, float]
    semi_axes: tuple[float, float]
    tilt: float
    edge: NDArray[np.float64]

    def signed_distance(self, shape: tuple[int, int]) -> tuple[FloatImage, FloatImage]:
        """Return the approximate distance to the outline (px, positive inside) and the angle.

        Args:
            shape: (rows, columns) of the field of view.

        Returns:
            Two (rows, columns) float32 arrays; the angle lies in [-pi, pi].
        """
        rows, columns = rows_and_columns(shape)
        down, right = rows - self.center[0], columns - self.center[1]
        cos, sin = np.cos(self.tilt), np.sin(self.tilt)
        along = (right * cos + down * sin) / self.semi_axes[1]
        across = (down * cos - right * sin) / self.semi_axes[0]
        angle = np.arctan2(across, along)
        relative = np.hypot(along, across) + np.float32(1e-3)
        table = np.append(self.edge, self.edge[0]).astype(np.float32)
        index = ((angle + np.pi) * (ANGLES / (2 * np.pi))).astype(np.int32)
        edge = table[np.clip(index, 0, ANGLES)]
        distance = (edge - relative) * (np.hypot(down, right) / relative)
        return distance.astype(np.float32), angle.astype(np.float32)

    def reach(self) -> tuple[float, float, float, float]:
        """Return how far the outline goes up, down, left and right of its center, px."""
        angle = np.linspace(-np.pi, np.pi, ANGLES, endpoint=False)
        along = self.edge * np.cos(angle) * self.semi_axes[1]
        across = self.edge * np.sin(angle) * self.semi_axes[0]
        right = along * np.cos(self.tilt) - across * np.sin(self.tilt)
        down = along * np.sin(self.tilt) + across * np.cos(self.tilt)
        return -float(down.min()), float(down.max()), -float(right.min()), float(right.max())

    def moved(self, center: tuple[float, float]) -> Outline:
        """Return the outline around another center."""
        return replace(self, center=center)

    def resized(self, factor: float) -> Outline:
        """Return the outline with all radii multiplied by a factor > 0."""
        axial, lateral = self.semi_axes
        return replace(self, semi_axes=(axial * factor, lateral * factor))


def draw_outline(rng: np.random.Generator, descriptors: dict[str, str], width_px: float) -> Outline:
    """Draw an outline that shows the given shape, orientation and margin.

    Args:
        rng: source of randomness.
        descriptors: needs `shape`, `orientation` and `margin`.
        width_px: lateral extent, px; a vertical mass keeps about the same area.

    Returns:
        An outline around (0, 0).
    """
    vertical = descriptors["orientation"] == "vertical"
    match descriptors["shape"]:
        case "round":
            ratio = rng.uniform(1.05, 1.15) if vertical else rng.uniform(0.84, 0.96)
        case "oval":
            ratio = rng.uniform(1.15, 1.5) if vertical else rng.uniform(0.38, 0.70)
        case _:
            ratio = rng.uniform(1.12, 1.45) if vertical else rng.uniform(0.45, 0.78)
    edge = _shape_edge(rng, descriptors["shape"]) * _margin_edge(rng, descriptors["margin"])
    lateral = width_px / 2 * (ratio**-0.5 if vertical else 1.0)
    outline = Outline((0.0, 0.0), (lateral * ratio, lateral), rng.normal(0, 0.12), edge)
    return _with_extent(outline, ratio, 2 * lateral)


def _with_extent(outline: Outline, ratio: float, width_px: float) -> Outline:
    """Stretch an outline until its extent has the given width and height / width ratio."""
    for _ in range(3):
        up, down, left, right = outline.reach()
        axial, lateral = outline.semi_axes
        outline = replace(
            outline,
            semi_axes=(
                axial * ratio * width_px / (up + down),
                lateral * width_px / (left + right),
            ),
        )
    return outline


def _angles() -> NDArray[np.float64]:
    return np.linspace(-np.pi, np.pi, ANGLES, endpoint=False)


def _waves(
    rng: np.random.Generator, orders: range, size: float, falloff: float
) -> NDArray[np.float64]:
    """Sum of cosines around the outline with random phases."""
    angle = _angles()
    total = np.zeros(ANGLES)
    for order in orders:
        amplitude = rng.normal() * size / order**falloff
        total += amplitude * np.cos(order * angle + rng.uniform(0, 2 * np.pi))
    return total


def _shape_edge(rng: np.random.Generator, shape: str) -> NDArray[np.float64]:
    if shape == "irregular":
        return np.clip(1 + _waves(rng, range(2, 9), 0.20, 0.7), 0.5, 1.6)
    if shape == "oval":
        # Gentle lobulation: up to three undulations still count as oval.
        size = 0.07 if rng.random() < 0.4 else 0.025
        return 1 + np.clip(_waves(rng, range(2, 4), size, 0.3), -0.15, 0.15)
    return 1 + _waves(rng, range(3, 5), 0.012, 0.3)


def _margin_edge(rng: np.random.Generator, margin: str) -> NDArray[np.float64]:
    angle = _angles()
    if margin == "angular":
        return _corners(rng)
    if margin == "microlobulated":
        count = rng.integers(11, 20)
        warped = angle + 0.25 * np.sin(angle * 2 + rng.uniform(0, 6)) / 2
        depth = rng.uniform(0.08, 0.15) * (1 + _waves(rng, range(1, 5), 0.25, 0.3))
        return 1 + depth * (np.abs(np.sin(count * warped / 2 + rng.uniform(0, 6))) - 0.6)
    if margin == "spiculated":
        edge = 1 + _waves(rng, range(3, 10), 0.10, 0.5)
        for _ in range(rng.integers(9, 18)):
            away = np.angle(np.exp(1j * (angle - rng.uniform(-np.pi, np.pi))))
            width = rng.uniform(0.035, 0.10)
            edge = edge + rng.uniform(0.15, 0.55) * np.exp(-np.abs(away) / width)
        return np.clip(edge, 0.6, 2.0)
    if margin == "indistinct":
        return 1 + _waves(rng, range(3, 12), 0.06, 0.4)
    return 1 + _waves(rng, range(3, 8), 0.018, 0.4)


def _corners(rng: np.random.Generator) -> NDArray[np.float64]:
    """Straight sides between a few sharp corners."""
    count = int(rng.integers(5, 9))
    spacing = rng.uniform(0.6, 1.4, count)
    corners = np.cumsum(spacing) / spacing.sum() * 2 * np.pi - np.pi
    radius = rng.uniform(0.72, 1.3, count)
    angle = _angles()
    nxt = np.searchsorted(corners, angle) % count
    before = (nxt - 1) % count
    first, second = corners[before], corners[nxt]
    gap = np.mod(second - first, 2 * np.pi)
    step = np.mod(angle - first, 2 * np.pi)
    r1, r2 = radius[before], radius[nxt]
    radius_here = r1 * r2 * np.sin(gap) / (r1 * np.sin(step) + r2 * np.sin(gap - step))
    return np.asarray(radius_here, dtype=np.float64)
