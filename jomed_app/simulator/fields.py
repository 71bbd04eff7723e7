"""Random fields that tissue is made of: smooth noise, thin bright strands, speckle scatterers."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

FloatImage = NDArray[np.float32]


def smooth_field(
    rng: np.random.Generator, shape: tuple[int, int], length_px: tuple[float, float]
) -> FloatImage:
    """Return zero-mean, unit-variance noise that varies over about `length_px`.

    White noise on a coarse grid with a random offset, enlarged by bicubic interpolation; the cost
    hardly depends on the length.

    Args:
        rng: source of randomness.
        shape: (rows, columns) of the result.
        length_px: (axial, lateral) correlation length, px, each >= 1.

    Returns:
        (rows, columns) float32.
    """
    rows, columns = shape
    spans = (rows / length_px[0], columns / length_px[1])
    grid = tuple(math.ceil(span) + 4 for span in spans)
    offset = rng.random(2)
    coarse = Image.fromarray(rng.standard_normal(grid, dtype=np.float32))
    left, top = 1 + offset[1], 1 + offset[0]
    fine = coarse.resize(
        (columns, rows),
        Image.Resampling.BICUBIC,
        box=(left, top, left + spans[1], top + spans[0]),
    )
    return standardized(np.asarray(fine, dtype=np.float32))


def smooth_line(rng: np.random.Generator, count: int, length_px: float) -> FloatImage:
    """Return `count` values of zero-mean, unit-variance noise along a line, float32."""
    knots = rng.standard_normal(math.ceil(count / length_px) + 4)
    at = 1 + rng.random() + np.arange(count) / length_px
    low = np.floor(at).astype(int)
    step = at - low
    blend = step * step * (3 - 2 * step)
    return np.asarray(knots[low] * (1 - blend) + knots[low + 1] * blend, dtype=np.float32)


def standardized(field: FloatImage) -> FloatImage:
    """Return the field with mean 0 and standard deviation 1 (a flat field stays flat)."""
    centered = field - field.mean()
    return np.asarray(centered / max(float(centered.std()), 1e-6), dtype=np.float32)


def strands(field: FloatImage, thickness_px: float, horizontal_power: float = 1.0) -> FloatImage:
    """Return thin lines along the zero crossings of a field, strongest where they lie flat.

    An interface reflects most where it faces the probe; `horizontal_power` says how much.

    Args:
        field: (rows, columns) smooth noise.
        thickness_px: half-width of a line at 1/e, px.
        horizontal_power: 0 ignores the direction, 1 is the squared cosine.

    Returns:
        (rows, columns) float32 in [0, 1].
    """
    axial, lateral = np.gradient(field)
    squared = axial * axial + lateral * lateral + np.float32(1e-9)
    line = np.exp(-(field * field) / (squared * np.float32(thickness_px**2)))
    facing = axial * axial / squared
    return np.asarray(line * facing**horizontal_power, dtype=np.float32)


def white_noise(rng: np.random.Generator, shape: tuple[int, int]) -> FloatImage:
    """Return independent standard normal values, float32."""
    return rng.standard_normal(shape, dtype=np.float32)


def blurred(field: FloatImage, sigma_px: float | tuple[float, float]) -> FloatImage:
    """Return the Gaussian-filtered field, edges repeated, float32."""
    result: FloatImage = gaussian_filter(field, sigma_px, mode="nearest", truncate=3.0)
    return result


def rows_and_columns(shape: tuple[int, int]) -> tuple[FloatImage, FloatImage]:
    """Return the (rows, 1) and (1, columns) coordinate vectors in px, float32."""
    rows, columns = shape
    return (
        np.arange(rows, dtype=np.float32)[:, None],
        np.arange(columns, dtype=np.float32)[None, :],
    )
