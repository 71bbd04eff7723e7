"""Finds the ultrasound region on a machine's screen by its grain.

Ours: tissue is grainy nearly everywhere, a screen around it is flat but for text, ruler and icons.
The region is the largest grainy area once thin things are gone. It counts as found only where text
stands in the flat part around it: black margins alone are no screen, and a picture that is the
region stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from jomed_app.imaging.limits import MIN_REGION_PX

Corners = tuple[int, int, int, int]

MIN_LINES = 3  # of text in the flat part: a bare image has a label or two
MIN_SHARE, MAX_SHARE = 0.05, 0.92  # of the picture, for a region
MIN_FLAT = 0.7  # share of the part outside that is flat, or text
FLAT_RANGE = 1  # gray levels within 3 x 3 px
MAX_PIXELS = 8_000_000  # no machine's screen is larger
_PINHOLE_PX = 7  # a flat spot of tissue that is closed again
_THIN_PX = 25  # what is thinner is no tissue: ticks, icons, lines
_RIM_PX = 48  # a gray bar or a ruler that touches the region is no wider
_RIM_SHARE = 0.5  # and stands beside less than this of it
_LEAST_RISE = 2  # gray levels from the screen to tissue for an edge to be seen
_FRAME_PX, _FRAME_STEP, _FRAME_SPREAD, _FRAME_LEVEL = 2, 25, 12, 0.8


def find_screen_region(rendering: NDArray[np.uint8], text: Sequence[Corners]) -> Corners | None:
    """Return the ultrasound region of a screen.

    Args:
        rendering: (rows, columns, 3) RGB.
        text: (x0, y0, x1, y1) of the lines of text in it, px.

    Returns:
        (x0, y0, x1, y1), px, half-open; None where the picture is no screen.
    """
    rows, columns = rendering.shape[:2]
    if len(text) < MIN_LINES or min(rows, columns) < 4 * MIN_REGION_PX:
        return None
    if rows * columns > MAX_PIXELS:
        return None
    gray = rendering.max(axis=2)
    grainy = _grain(gray)
    for x0, y0, x1, y1 in text:
        grainy[y0:y1, x0:x1] = False
    corners = _largest(grainy)
    if corners is None:
        return None
    x0, y0, x1, y1 = corners = _sharpened(gray, corners)
    lines = sum(not _touches(corners, each) for each in text)
    share = (x1 - x0) * (y1 - y0) / grainy.size
    if lines < MIN_LINES or not MIN_SHARE <= share <= MAX_SHARE:
        return None
    outside = (np.count_nonzero(grainy) - np.count_nonzero(grainy[y0:y1, x0:x1])) / grainy.size
    return corners if outside <= (1 - MIN_FLAT) * (1 - share) else None


def _grain(gray: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return where gray levels differ within 3 x 3 px."""
    grainy: NDArray[np.bool_] = (
        ndimage.maximum_filter(gray, 3) - ndimage.minimum_filter(gray, 3) > FLAT_RANGE
    )
    return grainy


def _largest(grainy: NDArray[np.bool_]) -> Corners | None:
    """Return the corners of the largest grainy area, None when there is none of a size."""
    closed = ndimage.minimum_filter(ndimage.maximum_filter(grainy, _PINHOLE_PX), _PINHOLE_PX)
    solid = ndimage.maximum_filter(ndimage.minimum_filter(closed, _THIN_PX), _THIN_PX)
    labels, count = ndimage.label(solid)
    if count == 0:
        return None
    number = int(np.bincount(labels.ravel())[1:].argmax()) + 1
    vertical, horizontal = ndimage.find_objects(labels)[number - 1]
    area = labels[vertical, horizontal] == number
    left, right = _rim(area.mean(axis=0))
    top, bottom = _rim(area.mean(axis=1))
    # The 3 x 3 range reaches one px out of the region, but not out of the picture.
    x0, x1 = horizontal.start + left, horizontal.stop - right
    y0, y1 = vertical.start + top, vertical.stop - bottom
    rows, columns = grainy.shape
    x0, y0 = x0 + (x0 > 0), y0 + (y0 > 0)
    x1, y1 = x1 - (x1 < columns), y1 - (y1 < rows)
    return (x0, y0, x1, y1) if min(x1 - x0, y1 - y0) >= MIN_REGION_PX else None


def _rim(share: NDArray[np.floating]) -> tuple[int, int]:
    """Return how many lines to leave out at both ends: those of a bar or ruler that touches."""
    full = np.flatnonzero(share >= _RIM_SHARE)
    if full.size == 0:
        return 0, 0
    ends = int(full[0]), len(share) - 1 - int(full[-1])
    first, last = (end if end <= _RIM_PX else 0 for end in ends)
    return first, last


def _sharpened(gray: NDArray[np.uint8], corners: Corners) -> Corners:
    """Move each side to where the level leaves that of the screen: compression blurs the grain."""
    x0, y0, x1, y1 = corners
    x0 = _edge(gray[y0:y1], x0)
    x1 = gray.shape[1] - _edge(gray[y0:y1, ::-1], gray.shape[1] - x1)
    y0 = _edge(gray[:, x0:x1].T, y0)
    y1 = gray.shape[0] - _edge(gray[::-1, x0:x1].T, gray.shape[0] - y1)
    return x0, y0, x1, y1


def _edge(gray: NDArray[np.uint8], start: int) -> int:
    """Return the first column of a region that begins near `start`; its rows are given.

    The screen's level is that of each row just outside; less than half of them may hold a ruler.
    """
    reach = _RIM_PX // 3
    if start < reach:
        return start
    strip = gray[:, start - reach : start + 2 * reach].astype(np.int16)
    screen = np.median(strip[:, reach - 7 : reach - 2], axis=1, keepdims=True)
    rise = np.median(np.abs(strip - screen), axis=0)
    inside = float(np.median(rise[2 * reach :]))
    if inside < _LEAST_RISE:
        return start
    bound = np.full(len(rise), inside / 2)
    bound[reach + 8 :] = min(_LEAST_RISE, inside / 4)  # a gap behind a ruler; dark tissue stays
    below = np.flatnonzero(rise < bound)
    first = int(below[-1]) + 1 if below.size else reach
    # A frame of a line or two is flat along itself and far from the tissue beside it.
    for column in range(first, min(first + _FRAME_PX, len(rise) - 1)):
        along, beside = np.median(strip[:, column]), np.median(strip[:, column + 1])
        level = np.mean(np.abs(strip[:, column] - along) <= _FRAME_SPREAD)
        if abs(along - beside) > _FRAME_STEP and level > _FRAME_LEVEL:
            first = column + 1
    return start - reach + first


def _touches(corners: Corners, line: Corners) -> bool:
    """Whether a line of text reaches into a region."""
    x0, y0, x1, y1 = corners
    return line[0] < x1 and x0 < line[2] and line[1] < y1 and y0 < line[3]
