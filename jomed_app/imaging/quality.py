"""Input checks: what a reader should know of the picture before trusting an answer on it.

A failed check warns and never stops; the thresholds are ours.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from jomed_app.imaging.frame import DecodedFrame
from jomed_app.types import Check

MIN_SIDE_PX = 64
MAX_ASPECT = 4.0
MIN_CONTRAST = 0.02  # standard deviation of the display values over 255
MAX_SATURATION = 0.6  # share of pixels at either end of the display range
MIN_MARKS = 6  # separate glyph-like marks near a border
_BORDER = 0.18  # width of the border band, share of a side
_BRIGHT = 200
_ANALYSIS_SIDE_PX = 1024


def assess(decoded: DecodedFrame, model_input: NDArray[np.uint8]) -> tuple[Check, ...]:
    """Return all checks of one frame, the reader's own first.

    Args:
        decoded: the frame before rendering.
        model_input: (rows, columns, 3) uint8, what the model sees.
    """
    rows, columns = model_input.shape[:2]
    step = -(-max(rows, columns) // _ANALYSIS_SIDE_PX)
    sample = model_input[::step, ::step]
    if decoded.rgb is None:  # three equal channels: their mean is any of them
        gray = sample[:, :, 0].astype(np.float32)
    else:
        gray = sample.mean(axis=2, dtype=np.float32)
    return (
        *decoded.checks,
        _size(rows, columns),
        _aspect(rows, columns),
        _contrast(gray),
        _saturation(gray),
        _bit_depth(decoded),
        _polarity(decoded),
        _frames(decoded),
        _annotation(_block_maximum(model_input, step)),
    )


def _block_maximum(model_input: NDArray[np.uint8], step: int) -> NDArray[np.float32]:
    """Return the brightest sample of each step x step block, so that text survives."""
    gray = model_input[:, :, 0]
    if not np.array_equal(model_input[::step, ::step, 0], model_input[::step, ::step, 2]):
        gray = model_input.max(axis=2)  # colored text is bright in one channel
    rows, columns = (side // step for side in gray.shape)
    if min(rows, columns) < 1:
        return gray.astype(np.float32)
    blocks = gray[: rows * step, : columns * step].reshape(rows, step, columns, step)
    brightest: NDArray[np.float32] = blocks.max(axis=(1, 3)).astype(np.float32)
    return brightest


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


def _annotation(gray: NDArray[np.float32]) -> Check:
    """Flag glyph-like marks near a border: a hint at burned-in text, no proof."""
    marks = count_border_marks(gray)
    passed = marks < MIN_MARKS
    message = (
        "No burned-in text was noticed near the borders; look for yourself."
        if passed
        else f"{marks} text-like marks near the borders may be burned-in text; check for names."
    )
    return Check(name="annotation", passed=passed, value=float(marks), message=message)


def _thin_strokes(gray: NDArray[np.float32], band: slice | tuple[slice, ...]) -> NDArray[np.bool_]:
    """Bright strokes thinner than 9 px in one band, as an opening of the whole image finds them."""
    reach = 8  # an opening looks twice half its size around
    slices = band if isinstance(band, tuple) else (band, slice(None))
    bounds = [each.indices(side)[:2] for each, side in zip(slices, gray.shape, strict=True)]
    wide = tuple(slice(max(0, low - reach), high + reach) for low, high in bounds)
    part = gray[wide]
    # White top-hat: what a 9 px opening removes is a stroke thinner than 9 px.
    stroke = part - ndimage.grey_opening(part, size=(9, 9))
    found = (part >= _BRIGHT) & (stroke >= 0.5 * _BRIGHT)
    inner = tuple(
        slice(low - max(0, low - reach), low - max(0, low - reach) + high - low)
        for low, high in bounds
    )
    kept: NDArray[np.bool_] = found[inner]
    return kept


def count_border_marks(gray: NDArray[np.float32]) -> int:
    """Count bright, thin, small and isolated marks in the border band.

    A mark is a connected group of pixels well above their dark surround, thin in stroke, 4 to 40
    px high and standing in line with two others.

    Args:
        gray: (rows, columns), 0 to 255, at most about 1024 px a side.
    """
    rows, columns = gray.shape
    if min(rows, columns) < 32:
        return 0
    band_rows, band_columns = int(_BORDER * rows), int(_BORDER * columns)
    marks = np.zeros(gray.shape, dtype=np.bool_)
    for band in (
        np.s_[:band_rows],
        np.s_[rows - band_rows :],
        np.s_[band_rows : rows - band_rows, :band_columns],
        np.s_[band_rows : rows - band_rows, columns - band_columns :],
    ):
        marks[band] = _thin_strokes(gray, band)
    labels, count = ndimage.label(marks, structure=np.ones((3, 3), dtype=int))
    if count == 0 or count > 5000:  # thousands of specks are noise or speckle, not text
        return 0
    boxes = ndimage.find_objects(labels)
    middles = []
    for vertical, horizontal in boxes:
        height, width = vertical.stop - vertical.start, horizontal.stop - horizontal.start
        if 4 <= height <= 40 and 1 <= width <= 40:
            middles.append(((vertical.start + vertical.stop) / 2, horizontal.start, height))
    in_line = 0
    for middle, left, height in middles:
        near = sum(
            abs(other - middle) <= 0.5 * height
            and abs(other_left - left) <= 4 * max(height, 8)
            and 0.5 <= other_height / height <= 2
            for other, other_left, other_height in middles
        )
        in_line += near >= 3
    return in_line
