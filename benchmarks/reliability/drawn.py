"""Pictures that are no scan, drawn: test patterns and landscapes in colour."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

ROWS, COLUMNS = 360, 480
SMPTE_BARS = ((192, 192, 192), (192, 192, 0), (0, 192, 192), (0, 192, 0), (192, 0, 192),
              (192, 0, 0), (0, 0, 192))  # fmt: skip  # SMPTE EG 1, upper bars at 75 %


def test_patterns() -> Iterator[NDArray[np.uint8]]:
    """Yield colour bars, ramps, steps, boards, grids, discs and waves of several sizes."""
    y, x = np.mgrid[:ROWS, :COLUMNS]
    bars = np.array(SMPTE_BARS, dtype=np.uint8)
    yield bars[np.arange(COLUMNS) * len(bars) // COLUMNS][None].repeat(ROWS, axis=0)
    for size in (4, 8, 16, 32, 64):
        yield _gray((x // size + y // size) % 2 * 255)
        yield _gray(((x % size == 0) | (y % size == 0)) * 255)
        yield _gray(x // size * (255 // (COLUMNS // size + 1)))
        yield _gray(128 + 100 * np.sin(x / size) * np.sin(y / size))
        yield _gray((np.hypot(x % (6 * size) - 3 * size, y % (6 * size) - 3 * size) < size) * 200)
    for ramp in (x / COLUMNS, y / ROWS, (x + y) / (COLUMNS + ROWS), np.hypot(x, y) / 600):
        yield _gray(255 * ramp)


def photographs(count: int, seed: int) -> Iterator[NDArray[np.uint8]]:
    """Yield soft landscapes of random colours with a camera's noise.

    Args:
        count: how many.
        seed: >= 0.
    """
    rng = np.random.default_rng(seed)
    for _ in range(count):
        coarse = rng.integers(40, 230, (*rng.integers(4, 16, 2), 3), dtype=np.uint8)
        soft = Image.fromarray(coarse).resize((COLUMNS, ROWS), Image.Resampling.BICUBIC)
        noise = rng.normal(0, rng.uniform(2, 8), (ROWS, COLUMNS, 3))
        yield np.clip(np.asarray(soft) + noise, 0, 255).astype(np.uint8)


def _gray(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    gray: NDArray[np.uint8] = np.clip(values, 0, 255).astype(np.uint8)
    return gray
