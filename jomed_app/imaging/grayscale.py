"""The gray-scale chain in plain numpy: look-up tables, windows and the one inversion.

Source: DICOM PS3.3 C.11.1 (modality LUT), C.11.2 (VOI LUT), C.7.6.3.1.2 (MONOCHROME1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from jomed_app.types import GrayValues, Window

Kind = TypeVar("Kind", bound=np.generic)
PERCENTILES = (0.5, 99.5)
_CHUNK_PX = 1_000_000  # rows are mapped in blocks, so that float64 copies stay small
_SAMPLE_PX = 4_000_000  # percentiles of larger frames are taken on an even sub-grid


class VoiFunction(StrEnum):
    """VOI LUT Function (0028,1056)."""

    LINEAR = "LINEAR"
    LINEAR_EXACT = "LINEAR_EXACT"
    SIGMOID = "SIGMOID"


@dataclass(frozen=True, slots=True)
class Lut:
    """A DICOM look-up table (PS3.3 C.11.1.1).

    Attributes:
        first: input value that maps to the first entry; smaller inputs map there too.
        entries: (N,) output values, N >= 1; inputs past the end map to the last entry.
        bits: significant bits of an entry, 1 to 16.
    """

    first: int
    entries: NDArray[np.int64]
    bits: int

    def __call__(self, values: NDArray[np.floating | np.integer]) -> NDArray[np.float64]:
        """Map values of any shape to entries (float64); non-integer inputs are rounded."""
        index = np.rint(np.asarray(values, dtype=np.float64)) - self.first
        clipped = np.clip(index, 0, len(self.entries) - 1).astype(np.int64)
        mapped: NDArray[np.float64] = self.entries[clipped].astype(np.float64)
        return mapped


def window_to_unit(
    values: NDArray[np.float64], window: Window, function: VoiFunction
) -> NDArray[np.float64]:
    """Map values to [0, 1] by one window.

    Source: PS3.3 C.11.2.1.2.1 (LINEAR), C.11.2.1.3.2 (LINEAR_EXACT), C.11.2.1.3.1 (SIGMOID).
    Ours: LINEAR with a width <= 1 is the step that the standard gives for a width of 1.

    Args:
        values: any shape, modality values.
        window: width > 0.
        function: shape of the curve.

    Returns:
        Same shape, monotone in `values`.
    """
    center, width = window.center, window.width
    match function:
        case VoiFunction.SIGMOID:
            exponent = np.clip(-4.0 * (values - center) / width, -700.0, 700.0)
            unit: NDArray[np.float64] = 1.0 / (1.0 + np.exp(exponent))
        case VoiFunction.LINEAR if width <= 1:
            unit = (values > center - 0.5).astype(np.float64)
        case VoiFunction.LINEAR:
            unit = (values - (center - 0.5)) / (width - 1.0) + 0.5
        case VoiFunction.LINEAR_EXACT:
            unit = (values - center) / width + 0.5
    return np.clip(unit, 0.0, 1.0)


def to_uint8(
    values: NDArray[np.floating | np.integer],
    curve: Window | Lut,
    function: VoiFunction,
    invert: bool,
) -> NDArray[np.uint8]:
    """Map modality values to 8-bit display values, inverted at most once.

    Args:
        values: (rows, columns[, channels]), modality values.
        curve: a window, or the file's VOI LUT (its output range is 0 to 2**bits - 1).
        function: shape of the window; ignored for a LUT.
        invert: turn the result over (255 - y) as the last step.

    Returns:
        Same shape, 0 is black; rounded half to even.
    """

    def shown(block: NDArray[np.floating | np.integer]) -> NDArray[np.float64]:
        exact = block.astype(np.float64)
        if isinstance(curve, Lut):
            unit = np.clip(curve(exact) / (2**curve.bits - 1), 0.0, 1.0)
        else:
            unit = window_to_unit(exact, curve, function)
        levels: NDArray[np.float64] = np.rint(255.0 * (1.0 - unit if invert else unit))
        return levels

    return by_rows(values, shown, np.uint8)


def by_rows(
    values: NDArray[Any], change: Callable[[NDArray[Any]], NDArray[Any]], kind: type[Kind]
) -> NDArray[Kind]:
    """Map values block of rows by block, so that what a step in between holds stays small.

    Args:
        values: (rows, columns[, channels]).
        change: keeps a block's shape.
        kind: type of the result, to which each block is cast.
    """
    changed = np.empty(values.shape, dtype=kind)
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite
        for rows in row_blocks(values.shape):
            changed[rows] = change(values[rows])
    return changed


def as_rgb(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Show (rows, columns) as (rows, columns, 3), read-only; the three channels share memory."""
    return np.broadcast_to(gray[:, :, np.newaxis], (*gray.shape, 3))


def is_gray(rgb: NDArray[np.uint8]) -> bool:
    """Tell whether the three channels of (rows, columns, 3) are equal everywhere."""
    if rgb.strides[2] == 0:
        return True
    return all(
        np.array_equal(rgb[rows, :, 0], rgb[rows, :, channel])
        for rows in row_blocks(rgb.shape)
        for channel in (1, 2)
    )


def percentile_window(values: GrayValues, keep_mask: NDArray[np.bool_] | None = None) -> Window:
    """Return the window from the 0.5th to the 99.5th percentile (for LINEAR_EXACT).

    A frame whose percentiles coincide gets its full range, a constant frame a width of 1.

    Args:
        values: (rows, columns), finite.
        keep_mask: (rows, columns), True where a pixel counts (padding does not).
    """
    sample = sub_grid(values).astype(np.float32, copy=False)  # equal samples, equal percentiles
    if keep_mask is not None and (kept := sample[sub_grid(keep_mask)]).size:
        sample = kept
    low, high = (float(value) for value in np.percentile(sample, PERCENTILES))
    if high <= low:
        low, high = float(sample.min()), float(sample.max())
    if high <= low:
        return Window(center=low, width=1.0, name="constant")
    return Window(center=(low + high) / 2, width=high - low, name="0.5-99.5 %")


def sub_grid(values: NDArray[Kind]) -> NDArray[Kind]:
    """Return every n-th row and column of (rows, columns[, channels]): 4 million at most."""
    step = max(1, int(np.ceil(np.sqrt(values.shape[0] * values.shape[1] / _SAMPLE_PX))))
    return values[::step, ::step]


def to_finite_values(values: NDArray[np.generic]) -> tuple[GrayValues, bool]:
    """Return finite values and whether any had to be mended.

    Samples of 16 bits stay as they are, at half the memory of float32, which holds them exactly
    too; all others become float32. Not-a-number becomes the smallest finite value; what float32
    cannot hold is clipped.
    """
    if values.dtype.kind in "iu" and values.dtype.itemsize == 2:
        return values.astype(values.dtype.newbyteorder("="), copy=False), False
    if np.issubdtype(values.dtype, np.integer) or values.dtype == np.bool_:
        return values.astype(np.float32), False
    bound = float(np.finfo(np.float32).max)
    finite = np.isfinite(values)
    if finite.all() and -bound <= values.min(initial=0) and values.max(initial=0) <= bound:
        return values.astype(np.float32, copy=False), False
    kept = values[finite]
    smallest = float(kept.min()) if kept.size else 0.0
    mended = np.nan_to_num(values, nan=smallest, posinf=bound, neginf=-bound)
    return np.clip(mended, -bound, bound).astype(np.float32), True


def row_blocks(shape: tuple[int, ...]) -> Iterator[slice]:
    """Yield row slices of about one million samples each."""
    per_row = max(1, int(np.prod(shape[1:])))
    height = max(1, _CHUNK_PX // per_row)
    for start in range(0, shape[0], height):
        yield slice(start, min(shape[0], start + height))
