"""Annotations burnt into an image (calipers, dotted lines, text): found and painted over.

Ours: used to measure how much an answer leans on such marks, which a model can learn as a shortcut.
Limits: finds thin strokes that are near-white, or colored, on darker surroundings. Gray or black
marks, strokes wider than `STROKE_SHARE` of the image, solid horizontal lines and marks that cross
bright tissue stay; short bright echoes as sharp as a stroke are painted over too. This is no
protection of privacy: text may survive.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

STROKE_SHARE = 1 / 80  # widest stroke, as a share of the shorter side
MIN_CONTRAST = 90  # gray levels between a stroke and what surrounds it
MIN_STROKE_LEVEL = 180  # of 255; tissue speckle this bright is rarely this thin
MIN_EDGE = 75  # further gray levels that a burnt-in edge rises by within two pixels
MIN_SATURATION = 60  # gray levels between the strongest and the weakest channel
SMOOTHING_STEPS = 24


def find_annotations(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Find burnt-in marks.

    Args:
        image: (rows, columns, 3) RGB.

    Returns:
        (rows, columns), True on marks and one pixel around them.

    Raises:
        ValueError: if the image has another shape.
    """
    if image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"an image must have shape (rows, columns, 3), found {image.shape}")
    strongest = image.max(axis=2).astype(np.int16)
    weakest = image.min(axis=2).astype(np.int16)
    colored = strongest - weakest > MIN_SATURATION
    marks = _near_white_strokes(weakest) | colored
    return np.asarray(ndimage.binary_dilation(marks, np.ones((3, 3), dtype=bool)))


def _near_white_strokes(gray: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Thin, bright and sharp: what is left by an opening, grown from its sharpest part."""
    width = 2 * max(1, round(min(gray.shape) * STROKE_SHARE)) + 1
    contrast = gray - ndimage.grey_opening(gray, size=(width, width), mode="nearest")
    thin = (contrast > MIN_CONTRAST) & (gray > MIN_STROKE_LEVEL)
    rise = gray - ndimage.minimum_filter(gray, size=5, mode="nearest")
    sharp = thin & (rise > MIN_CONTRAST + MIN_EDGE)
    strokes = ndimage.binary_propagation(sharp, np.ones((3, 3), dtype=bool), mask=thin)
    return _without_layers(strokes, 2 * width)


def _without_layers(strokes: NDArray[np.bool_], short: int) -> NDArray[np.bool_]:
    """Drop strokes that lie flat: skin and fascia run sideways, marks are compact or upright."""
    labels, count = ndimage.label(strokes, np.ones((3, 3), dtype=bool))
    is_mark = np.zeros(count + 1, dtype=bool)
    for number, (down, across) in enumerate(ndimage.find_objects(labels), start=1):
        height, length = down.stop - down.start, across.stop - across.start
        is_mark[number] = length < 2.5 * height or length <= short
    kept: NDArray[np.bool_] = is_mark[labels]
    return kept


def fill_marked(image: NDArray[np.uint8], marked: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Fill marked pixels from around: the nearest unmarked value, then diffused.

    Args:
        image: (rows, columns, 3) RGB.
        marked: (rows, columns); where all is marked, the image comes back as it is.

    Returns:
        A new image; unmarked pixels are unchanged.
    """
    filled = image.copy()
    if not marked.any() or marked.all():
        return filled
    nearest = ndimage.distance_transform_edt(marked, return_distances=False, return_indices=True)
    work = image[nearest[0], nearest[1]].astype(np.float32)
    for _ in range(SMOOTHING_STEPS):
        around = ndimage.uniform_filter(work, size=(3, 3, 1), mode="nearest")
        work[marked] = around[marked]
    filled[marked] = np.clip(np.rint(work[marked]), 0, 255).astype(np.uint8)
    return filled


def mask_annotations(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Paint burnt-in marks over with their surroundings.

    Args:
        image: (rows, columns, 3) RGB.

    Returns:
        An image of the same shape.

    Raises:
        ValueError: if the image has another shape.
    """
    return fill_marked(image, find_annotations(image))
