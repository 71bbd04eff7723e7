"""Insert a mass into tissue: echo pattern, margin, halo, calcifications, posterior features."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from jomed_app.simulator.anatomy import FAT_DB, Tissue
from jomed_app.simulator.descriptors import KINDS
from jomed_app.simulator.fields import (
    FloatImage,
    blurred,
    rows_and_columns,
    smooth_field,
)
from jomed_app.simulator.outline import Outline, draw_outline

ANECHOIC_DB = -42.0
WIDTH_LIMITS = (0.05, 0.75)
SPECULAR_KEPT = {"hypoechoic": 0.12, "isoechoic": 0.35, "hyperechoic": 0.4}


def insert_lesion(
    rng: np.random.Generator,
    tissue: Tissue,
    kind: str,
    descriptors: dict[str, str],
    scale: float,
) -> tuple[Tissue, NDArray[np.bool_]]:
    """Draw one lesion that shows the given descriptors.

    Args:
        rng: source of randomness.
        tissue: layered tissue without a lesion.
        kind: a key of `KINDS` with lesions; decides the size only.
        descriptors: all six descriptors.
        scale: px per reference px.

    Returns:
        The tissue with the lesion and its (rows, columns) mask.
    """
    shape = (tissue.scatter_db.shape[0], tissue.scatter_db.shape[1])
    outline = _placed(rng, tissue, kind, descriptors)
    distance, angle = outline.signed_distance(shape)
    mask = distance > 0
    radius = min(outline.semi_axes)
    soft = _softness(rng, descriptors["margin"], radius, scale)
    if descriptors["margin"] == "indistinct":
        distance = distance + 0.12 * radius * smooth_field(rng, shape, (6 * scale, 6 * scale))
    inside = (0.5 + 0.5 * np.tanh(np.clip(distance / (2 * soft), -8, 8))).astype(np.float32)
    scatter, specular = _echo(rng, tissue, descriptors, inside, distance, radius, scale)
    scatter, specular = _rim(rng, descriptors, scatter, specular, distance, angle, radius, scale)
    if descriptors["calcifications"] == "present":
        specular = specular + _calcifications(rng, outline, mask, scale)
    attenuation = tissue.attenuation_db + _posterior(rng, descriptors, mask, outline, scale)
    return replace(tissue, scatter_db=scatter, specular=specular, attenuation_db=attenuation), mask


def _placed(
    rng: np.random.Generator, tissue: Tissue, kind: str, descriptors: dict[str, str]
) -> Outline:
    """Draw size and place so that the whole outline lies below the skin, inside the field."""
    rows, columns = tissue.scatter_db.shape
    entry = KINDS[kind]
    width = float(np.clip(entry.median_width * np.exp(entry.spread * rng.normal()), *WIDTH_LIMITS))
    outline = draw_outline(rng, descriptors, width * columns)
    up, down, left, right = outline.reach()
    room = 0.94 * rows - tissue.skin_px
    fit = min(1.0, 0.72 * room / (up + down), 0.86 * columns / (left + right))
    outline = outline.resized(fit)
    up, down, left, right = (fit * side for side in (up, down, left, right))
    top, bottom = tissue.skin_px + 0.03 * rows + up, 0.94 * rows - down
    row = np.clip(rows * rng.normal(entry.mean_depth, 0.10), top, max(top, bottom))
    low, high = 0.03 * columns + left, 0.97 * columns - right
    column = np.clip(columns * rng.normal(0.48, 0.14), low, max(low, high))
    return outline.moved((float(row), float(column)))


def _softness(rng: np.random.Generator, margin: str, radius: float, scale: float) -> float:
    """Half-width of the border, px."""
    if margin == "indistinct":
        return float(np.clip(radius * rng.uniform(0.10, 0.20), 2.2 * scale, 9 * scale))
    if margin == "circumscribed":
        return rng.uniform(0.6, 1.3) * scale
    return rng.uniform(0.8, 1.6) * scale


def _echo(
    rng: np.random.Generator,
    tissue: Tissue,
    descriptors: dict[str, str],
    inside: FloatImage,
    distance: FloatImage,
    radius: float,
    scale: float,
) -> tuple[FloatImage, FloatImage]:
    """Replace the tissue's level inside by the lesion's echo pattern."""
    shape = (inside.shape[0], inside.shape[1])
    echo = descriptors["echo"]
    # A mass without a sharp border also stands out less from its surroundings.
    lift = 0.0 if descriptors["margin"] == "circumscribed" else 2.0
    coarse = smooth_field(rng, shape, (max(4 * scale, radius / 3), max(5 * scale, radius / 2.2)))
    grain = smooth_field(rng, shape, (3 * scale, 5 * scale))
    # Side lobes and reverberation put haze into fluid, most of it near the wall.
    haze = rng.uniform(8, 20) * np.exp(-np.clip(distance, 0, None) / (0.22 * radius + 2 * scale))
    fluid_db = ANECHOIC_DB + haze + 1.5 * grain
    match echo:
        case "anechoic":
            target = fluid_db
        case "hypoechoic":
            target = FAT_DB + lift - rng.uniform(2.5, 8.5) + 1.2 * grain
            target = target + rng.uniform(0.5, 1.8) * coarse
        case "isoechoic":
            target = FAT_DB + rng.uniform(0, 2.5) + 0.9 * grain + 0.7 * coarse
        case "hyperechoic":
            target = rng.uniform(4, 7) + 0.9 * grain + 0.8 * coarse
        case "complex":
            solid = FAT_DB - rng.uniform(1, 6) + 1.2 * grain
            cavities = smooth_field(rng, shape, (max(6 * scale, 0.55 * radius),) * 2)
            wet = cavities - _quantile_inside(cavities, inside, rng.uniform(0.35, 0.6))
            fluid = 0.5 + 0.5 * np.tanh((wet + 0.1 * coarse) / 0.25)
            target = solid + (fluid_db + rng.uniform(0, 12) - solid) * fluid
        case _:
            target = (
                FAT_DB + lift - rng.uniform(1, 4.5) + 4.2 * np.clip(coarse, -1.8, 1.8) + 1.6 * grain
            )
    scatter = tissue.scatter_db + (target - tissue.scatter_db) * inside
    kept = SPECULAR_KEPT.get(echo, 0.0)
    specular = tissue.specular * (1 - (1 - kept) * inside)
    return scatter.astype(np.float32), specular.astype(np.float32)


def _quantile_inside(field: FloatImage, inside: FloatImage, quantile: float) -> float:
    """Quantile of a field over the lesion's interior."""
    return float(np.quantile(field[inside > 0.5], quantile)) if (inside > 0.5).any() else 0.0


def _rim(
    rng: np.random.Generator,
    descriptors: dict[str, str],
    scatter: FloatImage,
    specular: FloatImage,
    distance: FloatImage,
    angle: FloatImage,
    radius: float,
    scale: float,
) -> tuple[FloatImage, FloatImage]:
    """Add the thin capsule of a circumscribed mass or the echogenic halo of an invasive one."""
    margin = descriptors["margin"]
    faint = descriptors["echo"] == "isoechoic"
    if margin == "circumscribed":
        facing = 0.15 + 0.85 * np.sin(angle) ** 2
        strength = rng.uniform(1.8, 3.0) if faint else rng.uniform(0.8, 2.4)
        capsule = np.exp(-(((distance + 0.8 * scale) / (1.3 * scale)) ** 2)) * facing
        return scatter, (specular + strength * capsule).astype(np.float32)
    chance = {"indistinct": 0.5, "angular": 0.5, "microlobulated": 0.25, "spiculated": 0.85}
    if faint or rng.random() < chance[margin]:
        width = np.clip(radius * rng.uniform(0.15, 0.35), 5 * scale, 16 * scale)
        halo = np.exp(-(((distance + 0.9 * width) / width) ** 2)) * (distance < 0)
        scatter = scatter + rng.uniform(2, 4.5) * halo
        specular = specular * (1 - 0.4 * halo)
    if margin == "spiculated":
        # Straight strands that radiate from the border into the tissue.
        count = int(rng.integers(10, 22))
        reach = radius * rng.uniform(0.35, 0.7)
        fade = np.exp(-np.clip(-distance, 0, None) / reach) * (distance < 0)
        phase = np.cos(angle * count + 2.5 * np.sin(angle * 2 + rng.uniform(0, 6)))
        scatter = scatter - 8 * np.clip(phase - 0.55, 0, None) * fade
        specular = specular + 1.6 * np.clip(-phase - 0.75, 0, None) * 4 * fade * 0.5
    return scatter.astype(np.float32), specular.astype(np.float32)


def _calcifications(
    rng: np.random.Generator, outline: Outline, mask: NDArray[np.bool_], scale: float
) -> FloatImage:
    """Bright points in one or two clusters inside the mass."""
    points = np.zeros(mask.shape, dtype=np.float32)
    rows, columns = np.nonzero(mask)
    count = int(rng.integers(6, 18))
    focus = rng.integers(len(rows))
    spread = 0.35 * min(outline.semi_axes)
    for _ in range(count):
        row = int(np.clip(rows[focus] + rng.normal() * spread, 0, mask.shape[0] - 1))
        column = int(np.clip(columns[focus] + rng.normal() * spread, 0, mask.shape[1] - 1))
        if not mask[row, column]:
            pick = rng.integers(len(rows))
            row, column = int(rows[pick]), int(columns[pick])
        points[row, column] += rng.uniform(0.6, 1.3)
    size = rng.uniform(0.9, 1.3) * scale
    peak = 2 * np.pi * size * size
    return blurred(points, size) * np.float32(7.0 * peak)


def _posterior(
    rng: np.random.Generator,
    descriptors: dict[str, str],
    mask: NDArray[np.bool_],
    outline: Outline,
    scale: float,
) -> FloatImage:
    """Gain or loss behind the mass, proportional to the path through it, and edge shadows."""
    rows, columns = rows_and_columns((mask.shape[0], mask.shape[1]))
    path = np.cumsum(mask, axis=0, dtype=np.float32)
    thickness = max(float(path.max()), 1.0)
    path = np.clip(path / (0.75 * thickness), 0, 1)
    gain = {
        "none": 0.0,
        "enhancement": rng.uniform(5, 10),
        "shadowing": -rng.uniform(8, 17),
        "combined": 1.0,
    }[descriptors["posterior"]]
    # A short path changes little: small masses have faint posterior features.
    strength = float(np.clip(thickness / (0.14 * mask.shape[0]), 0.5, 1))
    if descriptors["posterior"] == "combined":
        side = 1 if rng.random() < 0.5 else -1
        split = np.tanh(side * (columns - outline.center[1]) / (0.2 * outline.semi_axes[1]))
        profile = np.where(split > 0, rng.uniform(5, 8) * split, rng.uniform(7, 14) * split)
    else:
        profile = np.full_like(columns, gain)
    fade = 1.0 if gain < 0 else 0.8
    depth = np.clip((rows - outline.center[0]) / mask.shape[0], 0, 1)
    effect = strength * profile * path * (1 - fade * depth)
    if gain > 0:
        effect = effect * ~mask
    effect = blurred(effect.astype(np.float32), (2 * scale, 3.5 * scale))
    if descriptors["margin"] == "circumscribed" and descriptors["shape"] != "irregular":
        effect = effect + _edge_shadows(rng, outline, rows, columns, scale)
    return np.asarray(effect, dtype=np.float32)


def _edge_shadows(
    rng: np.random.Generator,
    outline: Outline,
    rows: FloatImage,
    columns: FloatImage,
    scale: float,
) -> FloatImage:
    """Thin refractive shadows below the lateral borders of a smooth round mass."""
    _, _, left, right = outline.reach()
    below = 0.5 + 0.5 * np.tanh((rows - outline.center[0]) / (8 * scale))
    width = rng.uniform(2.5, 5) * scale
    effect = np.zeros((rows.shape[0], columns.shape[1]), dtype=np.float32)
    for offset in (-left, right):
        line = outline.center[1] + offset * 0.98
        effect -= rng.uniform(1, 5) * np.exp(-(((columns - line) / width) ** 2)) * below
    return effect
