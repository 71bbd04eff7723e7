"""Breast tissue in layers: skin, fat with septa, fibroglandular tissue, fascia, muscle, ribs.

Levels are in dB relative to fibroglandular tissue. `scatter_db` drives speckle; `specular` is the
amplitude of smooth interfaces (septa, fascia, muscle sheaths), which stay continuous lines.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from jomed_app.simulator.fields import (
    FloatImage,
    rows_and_columns,
    smooth_field,
    smooth_line,
    strands,
)

FAT_DB = -8.0
MUSCLE_DB = -8.0
SKIN_DB = 3.0


@dataclass(frozen=True, slots=True)
class Tissue:
    """What reflects sound, before attenuation.

    Attributes:
        scatter_db: (rows, columns) speckle level, dB re fibroglandular tissue.
        specular: (rows, columns) amplitude of smooth interfaces, >= 0, 1 is tissue level.
        attenuation_db: (rows, columns) gain or loss along the beam; negative is a shadow.
        skin_px: depth of the lower skin border, px (mean).
    """

    scatter_db: FloatImage
    specular: FloatImage
    attenuation_db: FloatImage
    skin_px: float


def draw_tissue(rng: np.random.Generator, shape: tuple[int, int], scale: float) -> Tissue:
    """Draw one layered breast.

    Args:
        rng: source of randomness.
        shape: (rows, columns) of the field of view, px.
        scale: px per reference px (1 at 480 px width); structures keep their relative size.

    Returns:
        Tissue without a lesion.
    """
    rows, columns = shape
    axial, lateral = rows_and_columns(shape)
    skin = rows * rng.uniform(0.018, 0.05) + rows * 0.004 * smooth_line(rng, columns, 120 * scale)
    fat_mean = rng.uniform(0.12, 0.34)
    gland_mean = rng.uniform(max(0.5, fat_mean + 0.25), 0.85)
    bump = smooth_line(rng, columns, rng.uniform(60, 130) * scale)
    fat = rows * (fat_mean + 0.03 * bump + 0.012 * smooth_line(rng, columns, 30 * scale))
    gland = rows * (gland_mean + 0.02 * smooth_line(rng, columns, 160 * scale))

    fat_db, fat_lines = _fat(rng, shape, scale)
    gland_db, gland_lines = _gland(rng, shape, scale)
    muscle_db, muscle_lines = _muscle(rng, shape, scale)
    in_fat = _step((axial - skin) / (1.2 * scale))
    in_gland = _step((axial - fat) / (2.5 * scale))
    in_muscle = _step((axial - gland) / (2.0 * scale))
    scatter = SKIN_DB + (fat_db - SKIN_DB) * in_fat
    scatter = scatter + (gland_db - scatter) * in_gland
    scatter = scatter + (muscle_db - scatter) * in_muscle
    lines = fat_lines * in_fat
    lines = lines + (gland_lines - lines) * in_gland
    lines = lines + (muscle_lines - lines) * in_muscle
    broken = np.clip(0.7 + 0.6 * smooth_line(rng, columns, 40 * scale), 0, 1.6)
    lines = lines + rng.uniform(1.5, 3.5) * _ridge(axial, skin, 1.0 * scale)
    lines = lines + rng.uniform(1.0, 3.0) * broken * _ridge(axial, fat, 1.3 * scale)
    lines = lines + rng.uniform(2.0, 4.0) * broken[::-1] * _ridge(axial, gland, 1.6 * scale)

    bend = rng.uniform(3, 12) * scale * smooth_field(rng, shape, (90 * scale, 130 * scale))
    bend += rng.uniform(0.5, 2.5) * scale * smooth_field(rng, shape, (22 * scale, 40 * scale))
    bend *= np.clip(axial / (0.1 * rows), 0, 1)
    sway = rng.uniform(2, 8) * scale * smooth_field(rng, shape, (60 * scale, 60 * scale))
    tilt = rng.uniform(-0.07, 0.07) * (lateral - columns / 2) * np.clip(axial / (0.2 * rows), 0, 1)
    where = np.stack([axial + bend + tilt, lateral + sway])
    scatter = map_coordinates(scatter, where, order=1, mode="nearest")
    lines = map_coordinates(lines, where, order=1, mode="nearest")
    attenuation = np.zeros(shape, dtype=np.float32)
    # The probe's face: a bright line, then the skin.
    lines = lines + rng.uniform(2.0, 4.5) * np.exp(-((axial / (1.8 * scale)) ** 2))
    if rng.random() < 0.12:
        lines, attenuation = _rib(rng, shape, scale, lines)
    return Tissue(
        scatter.astype(np.float32), lines.astype(np.float32), attenuation, float(skin.mean())
    )


def _step(field: NDArray[np.floating]) -> FloatImage:
    """Smooth step from 0 to 1 over about two units."""
    return np.asarray(0.5 + 0.5 * np.tanh(np.clip(field, -8, 8)), dtype=np.float32)


def _ridge(axial: FloatImage, depth: FloatImage, thickness: float) -> FloatImage:
    """A line along a depth profile, 1 on the line."""
    return np.asarray(np.exp(-(((axial - depth) / thickness) ** 2)), dtype=np.float32)


def _dashes(rng: np.random.Generator, shape: tuple[int, int], scale: float) -> FloatImage:
    """Short bright flat reflectors: the upper tail of smooth noise, >= 0."""
    length = (rng.uniform(2.2, 4.0) * scale, rng.uniform(14, 34) * scale)
    where = 0.9 - 0.35 * smooth_field(rng, shape, (40 * scale, 70 * scale))
    tail = smooth_field(rng, shape, length) - where
    return np.asarray(np.clip(tail, 0, 1.6), dtype=np.float32)


def _fat(
    rng: np.random.Generator, shape: tuple[int, int], scale: float
) -> tuple[FloatImage, FloatImage]:
    """Dark lobules with thin bright septa."""
    lobules = smooth_field(rng, shape, (rng.uniform(22, 38) * scale, rng.uniform(80, 160) * scale))
    fine = smooth_field(rng, shape, (rng.uniform(9, 14) * scale, rng.uniform(50, 90) * scale))
    present = np.clip(0.5 + 0.8 * smooth_field(rng, shape, (30 * scale, 60 * scale)), 0, 1.5)
    level = FAT_DB + 1.5 * smooth_field(rng, shape, (14 * scale, 40 * scale))
    level = level + 1.2 * smooth_field(rng, shape, (3 * scale, 14 * scale))
    level = level + rng.uniform(1, 6) * _dashes(rng, shape, scale)
    septa = strands(lobules, 1.3 * scale, 0.7) * present
    lines = rng.uniform(1.5, 3.5) * septa
    lines += rng.uniform(0.2, 1.8) * strands(fine, 1.0 * scale, 1.5) * present
    return np.asarray(level + 5 * septa, dtype=np.float32), lines.astype(np.float32)


def _gland(
    rng: np.random.Generator, shape: tuple[int, int], scale: float
) -> tuple[FloatImage, FloatImage]:
    """Bright streaky tissue with ducts and islands of fat."""
    patches = smooth_field(rng, shape, (16 * scale, 50 * scale))
    streaks = smooth_field(rng, shape, (rng.uniform(4, 7) * scale, rng.uniform(28, 50) * scale))
    grain = smooth_field(rng, shape, (2.5 * scale, 9 * scale))
    level = rng.uniform(1.5, 3.0) * patches + rng.uniform(1.2, 2.4) * streaks + 1.2 * grain
    level += rng.uniform(3, 8) * _dashes(rng, shape, scale)
    islands = smooth_field(rng, shape, (rng.uniform(12, 30) * scale, rng.uniform(35, 80) * scale))
    fatness = rng.uniform(-0.2, 1.8)
    level = level + (FAT_DB - 1 - level) * _step((islands - fatness) / 0.15)
    ducts = smooth_field(rng, shape, (9 * scale, 28 * scale))
    level = level - rng.uniform(0, 7) * _step((ducts - 1.3) / 0.15)
    present = np.clip(0.3 + 0.8 * smooth_field(rng, shape, (25 * scale, 60 * scale)), 0, 1.6)
    lines = rng.uniform(0.8, 3.0) * strands(streaks, 1.2 * scale, 1.5) * present
    layers = smooth_field(rng, shape, (15 * scale, 130 * scale))
    lines += rng.uniform(0.6, 3.2) * strands(layers, 1.4 * scale, 1.6) * present
    return level.astype(np.float32), lines.astype(np.float32)


def _muscle(
    rng: np.random.Generator, shape: tuple[int, int], scale: float
) -> tuple[FloatImage, FloatImage]:
    """Dark muscle with long bright fibre sheaths."""
    fibres = smooth_field(rng, shape, (rng.uniform(8, 16) * scale, rng.uniform(150, 300) * scale))
    fine = smooth_field(rng, shape, (3.5 * scale, 70 * scale))
    level = MUSCLE_DB + rng.uniform(-4, 2) + 1.5 * fine + 5 * _dashes(rng, shape, scale)
    present = np.clip(0.5 + 0.6 * smooth_field(rng, shape, (30 * scale, 90 * scale)), 0, 1.4)
    lines = rng.uniform(0.6, 2.6) * strands(fibres, 1.4 * scale, 2.0) * present
    return level.astype(np.float32), lines.astype(np.float32)


def _rib(
    rng: np.random.Generator, shape: tuple[int, int], scale: float, lines: FloatImage
) -> tuple[FloatImage, FloatImage]:
    """Add a bright arc near the bottom and the shadow behind it."""
    rows, columns = shape
    axial, lateral = rows_and_columns(shape)
    center = columns * rng.uniform(0.1, 0.9)
    width = columns * rng.uniform(0.12, 0.25)
    top = rows * rng.uniform(0.76, 0.9)
    offset = (lateral - center) / width
    arc = top + rng.uniform(0.15, 0.3) * width * np.abs(offset) ** rng.uniform(1.7, 2.6)
    arc = arc + 1.5 * scale * smooth_line(rng, columns, 25 * scale)[None, :]
    inside = _step((1 - np.abs(offset)) / 0.1)
    thick = rng.uniform(2, 5) * scale
    glow = np.exp(-(((axial - arc) / thick) ** 2)) * inside
    glow = glow * np.clip(1 + 0.5 * smooth_line(rng, columns, 18 * scale), 0.2, 2)
    shadow = -rng.uniform(9, 16) * inside * _step((axial - arc - 4 * scale) / (3 * scale))
    return np.asarray(lines + rng.uniform(2, 4) * glow, dtype=np.float32), shadow.astype(np.float32)
