"""Input checks: what a reader should know of the picture before trusting an answer on it.

A failed check warns and never stops; the thresholds are ours.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jomed_app.imaging.frame import DecodedFrame
from jomed_app.types import Check

MIN_SIDE_PX = 64
MAX_ASPECT = 4.0
MIN_CONTRAST = 0.02  # standard deviation of the display values over 255
MAX_SATURATION = 0.6  # share of pixels at either end of the display range
PICTURE_CHECKS = ("size", "aspect", "contrast", "saturation", "annotation", "region")
_ANALYSIS_SIDE_PX = 1024


def assess_frame(decoded: DecodedFrame) -> tuple[Check, ...]:
    """Return the checks of a frame before rendering, the reader's own first."""
    return (*decoded.checks, _bit_depth(decoded), _polarity(decoded), _frames(decoded))


def assess_picture(model_input: NDArray[np.uint8], rows: int, columns: int) -> tuple[Check, ...]:
    """Return the checks of what the model sees, named in `PICTURE_CHECKS`.

    Args:
        model_input: (rows, columns, 3) uint8, as it is held.
        rows: of what is read, px of the file.
        columns: the same.
    """
    step = -(-max(model_input.shape[:2]) // _ANALYSIS_SIDE_PX)
    seen = model_input[::step, ::step]
    if model_input.strides[2] == 0:  # three equal levels, and their mean
        gray = seen[:, :, 0].astype(np.float32)
    else:
        gray = seen.mean(axis=2, dtype=np.float32)
    return (
        _size(rows, columns),
        _aspect(rows, columns),
        _contrast(gray),
        _saturation(gray),
    )


def _size(rows: int, columns: int) -> Check:
    """Check that both sides carry enough pixels."""
    passed = min(rows, columns) >= MIN_SIDE_PX
    message = f"The image has {rows} x {columns} pixels" + (
        "." if passed else f"; at least {MIN_SIDE_PX} a side are wanted."
    )
    return Check(name="size", passed=passed, value=float(min(rows, columns)), message=message)


def _aspect(rows: int, columns: int) -> Check:
    """Check that the image is no strip."""
    ratio = max(rows, columns) / min(rows, columns)
    passed = ratio <= MAX_ASPECT
    message = f"Long to short side is {ratio:.2g}" + (
        "." if passed else f"; above {MAX_ASPECT:g} it is squeezed when resized."
    )
    return Check(name="aspect", passed=passed, value=round(ratio, 3), message=message)


def _contrast(gray: NDArray[np.float32]) -> Check:
    """Check that the image is not blank."""
    contrast = float(gray.std(dtype=np.float64)) / 255.0
    passed = contrast >= MIN_CONTRAST
    message = f"Contrast is {contrast:.3f} of full range" + (
        "." if passed else "; the image is nearly blank."
    )
    return Check(name="contrast", passed=passed, value=round(contrast, 4), message=message)


def _saturation(gray: NDArray[np.float32]) -> Check:
    """Check the share of white pixels and of all clipped ones; a black surround is usual."""
    white = float((gray >= 254.5).mean())
    clipped = white + float((gray <= 0.5).mean())
    passed = white <= MAX_SATURATION / 2 and clipped <= 0.95
    message = f"{100 * white:.0f} % of the pixels are white, {100 * clipped:.0f} % at an end" + (
        "." if passed else "; detail may be lost."
    )
    return Check(name="saturation", passed=passed, value=round(clipped, 4), message=message)


def _bit_depth(decoded: DecodedFrame) -> Check:
    """Check that samples are deeper than a mask's."""
    bits = decoded.bits_stored
    passed = bits >= 8
    message = f"{bits} bits are stored per sample" + ("." if passed else "; gray steps are coarse.")
    return Check(name="bit_depth", passed=passed, value=float(bits), message=message)


def _polarity(decoded: DecodedFrame) -> Check:
    """Say whether the picture was turned over on the way to the model."""
    contradicted = any(check.name == "polarity" for check in decoded.checks)
    tail = "; the file's two statements on it contradict." if contradicted else "."
    how = "were inverted" if decoded.inverted else "were kept as they are"
    return Check(
        name="inversion",
        passed=not contradicted,
        value="inverted" if decoded.inverted else "as stored",
        message=f"Gray values {how}{tail}",
    )


def _frames(decoded: DecodedFrame) -> Check:
    """Say that one of several frames was read."""
    count = decoded.num_frames
    message = (
        "The file holds one frame."
        if count == 1
        else f"The file holds {count} frames; only the chosen one is read."
    )
    return Check(name="frames", passed=count == 1, value=float(count), message=message)
