"""A guess from the pixels whether an ultrasound picture has black and white exchanged.

Two facts of B-mode, both turned over with the picture: grain grows with brightness, since speckle
is interference of echoes and its strength goes with theirs; and depth is darker than the near
field, since sound is absorbed on its way. Each is one number; their plain sum decides. Nothing is
fitted: `python -m benchmarks.reliability.kinds` shows that a logistic fit on the simulated corpus
weighs the two alike, and how often the sum errs on real images.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MODALITIES = frozenset({"US"})  # DICOM (0008,0060) of the pictures for which the two facts hold
LEAST_SIDE_PX = 48  # with fewer there are too few blocks to compare

_BLOCK_PX = 8
_FEWEST_BLOCKS = 3
_NO_SPREAD = 1e-3
_FLAT = 0.64  # standard deviation, of 255, below which a block is background or clipped


def uprightness(gray: NDArray[np.uint8]) -> float | None:
    """How far a picture looks upright; below 0 it looks inverted.

    Inverting the picture changes the sign alone.

    Args:
        gray: (rows, columns), at most about 256 px a side.

    Returns:
        In [-3, 3]; None of a picture too small to tell.
    """
    if min(gray.shape) < LEAST_SIDE_PX:
        return None
    return grain_growth(gray) + fall_with_depth(gray)


def grain_growth(gray: NDArray[np.uint8]) -> float:
    """Correlation of mean and standard deviation over blocks that are not flat, in [-1, 1].

    Args:
        gray: (rows, columns), at least one block.
    """
    rows, columns = (side // _BLOCK_PX for side in gray.shape)
    blocks = gray[: rows * _BLOCK_PX, : columns * _BLOCK_PX].astype(np.float32)
    blocks = blocks.reshape(rows, _BLOCK_PX, columns, _BLOCK_PX)
    mean, deviation = blocks.mean(axis=(1, 3)), blocks.std(axis=(1, 3))
    told = deviation > _FLAT
    if told.sum() < _FEWEST_BLOCKS:
        return 0.0
    # A correlation in float64; np.corrcoef divides by zero where all blocks are alike.
    mean, deviation = (
        values[told].astype(np.float64) - values[told].mean(dtype=np.float64)
        for values in (mean, deviation)
    )
    spread = float(np.sqrt((mean**2).sum() * (deviation**2).sum()))
    return float((mean * deviation).sum()) / spread if spread > _NO_SPREAD else 0.0


def fall_with_depth(gray: NDArray[np.uint8]) -> float:
    """Mean of the upper third less that of the lower, of half the range: in [-2, 2].

    Args:
        gray: (rows, columns), at least 3 rows.
    """
    third = gray.shape[0] // 3
    return float(gray[:third].mean() - gray[-third:].mean()) / 127.5
