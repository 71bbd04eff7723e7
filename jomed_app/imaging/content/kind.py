"""Colour, grain and gray levels: what tells a photograph or a test pattern from a scan.

Ours: each is one share or count with one threshold, and nothing was fitted. Among 624 real breast
ultrasounds (BUSI) at most 0.06 of an image is coloured, at most 0.16 is smooth and 74 gray levels
or more make up nine tenths of it; `python -m benchmarks.reliability.kinds` counts what is asked.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST_COLORED = 0.45  # a Doppler or elastography box covers less; of a photograph more is coloured
MOST_SMOOTH = 0.75
LEAST_LEVELS = 33

_DARK = 24  # below it neither color nor grain is told from black
_CHROMA = 8  # of 255 between the strongest and the weakest channel; compression makes less
_GRAIN = 2  # of 255, four times the difference from the neighbors' mean


def colored_share(
    red: NDArray[np.uint8], green: NDArray[np.uint8], blue: NDArray[np.uint8]
) -> float:
    """Share of the pixels above black that have a color, in [0, 1]; 0 of a black picture.

    Args:
        red: (rows, columns).
        green: the same.
        blue: the same.
    """
    strongest = np.maximum(np.maximum(red, green), blue)
    weakest = np.minimum(np.minimum(red, green), blue)
    lit = strongest > _DARK
    if not lit.any():
        return 0.0
    return float((strongest - weakest > _CHROMA)[lit].mean())


def smooth_share(gray: NDArray[np.uint8]) -> float:
    """Share of the pixels between black and white that lie on the plane of their neighbors.

    Bars, steps and ramps have no grain, a scan has it nearly everywhere.

    Args:
        gray: (rows, columns).

    Returns:
        In [0, 1]; 1 of a picture that is black and white alone.
    """
    values = gray.astype(np.int16)
    middle = values[1:-1, 1:-1]
    bend = np.abs(
        4 * middle - values[:-2, 1:-1] - values[2:, 1:-1] - values[1:-1, :-2] - values[1:-1, 2:]
    )
    told = (middle > _DARK // 2) & (middle < 250)
    return float((bend <= _GRAIN)[told].mean()) if told.any() else 1.0


def num_levels(gray: NDArray[np.uint8]) -> int:
    """How many gray levels make up nine tenths of the pixels above black; 0 of a black picture.

    Args:
        gray: (rows, columns).
    """
    counts = np.bincount(gray.ravel(), minlength=256)[_DARK // 2 + 1 :]
    if not counts.any():
        return 0
    most_frequent = np.cumsum(np.sort(counts)[::-1])
    return int(np.searchsorted(most_frequent, 0.9 * most_frequent[-1])) + 1
