"""What is held of a very large picture: itself, reduced by a whole number along each side.

A model sees a few hundred px a side and the page a thousand, but every session holds its picture,
and a worker sends it through a pipe. Ours: pictures up to 16 million px, film mammograms among
them, are held as they are; a larger one as the means of squares of px, so that regions and boxes
stay in px of the file to within a square.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil, sqrt

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from jomed_app.imaging.grayscale import Kind, as_rgb, row_blocks
from jomed_app.imaging.limits import MAX_HELD_PX
from jomed_app.types import GrayValues, Picture, Region

Corners = tuple[int, int, int, int]


def held_picture(picture: Picture, most_px: int = MAX_HELD_PX) -> Picture:
    """Return a picture of at most so many px; one that is small enough is returned itself.

    Args:
        picture: as it was decoded, its `step` is 1.
        most_px: rows times columns.
    """
    rows, columns = picture.rendering.shape[:2]
    step = ceil(sqrt(rows * columns / most_px))
    while step > 1 and ceil(rows / step) * ceil(columns / step) > most_px:
        step += 1
    if step <= 1:
        return picture
    values = None if picture.values is None else _reduced_values(picture.values, step)
    return replace(
        picture, rendering=_reduced_rendering(picture.rendering, step), values=values, step=step
    )


def on_grid(region: Region, step: int, rows: int, columns: int) -> Region:
    """Return a region grown to whole squares of a picture that is held reduced.

    Args:
        region: px of the file.
        step: of the picture.
        rows: of the file's picture.
        columns: of the file's picture.
    """
    if step == 1:
        return region
    x0, y0, x1, y1 = (step * each for each in reduced_corners(region.corners, step))
    return region.model_copy(
        update={"x0": x0, "y0": y0, "x1": min(x1, columns), "y1": min(y1, rows)}
    )


def reduced_corners(corners: Corners, step: int) -> Corners:
    """Return corners, px of the file, in px of a picture that is held reduced; never smaller."""
    x0, y0, x1, y1 = corners
    return x0 // step, y0 // step, -(-x1 // step), -(-y1 // step)


def _reduced_rendering(rendering: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
    """Reduce channel by channel; a gray one once."""
    if rendering.strides[2] == 0:
        return as_rgb(_read_only(np.asarray(_channel(rendering, 0).reduce(step))))
    reduced = [np.asarray(_channel(rendering, each).reduce(step)) for each in range(3)]
    return _read_only(np.stack(reduced, axis=-1))


def _channel(rendering: NDArray[np.uint8], number: int) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(rendering[:, :, number]))


def _reduced_values(values: GrayValues, step: int) -> GrayValues:
    """Reduce values of any type, whole numbers to the nearest one; float32 in blocks of rows."""
    rows, columns = values.shape
    reduced: GrayValues = np.empty((-(-rows // step), -(-columns // step)), values.dtype)
    is_whole = values.dtype.kind in "iu"
    for place in row_blocks(reduced.shape):
        block = values[place.start * step : place.stop * step].astype(np.float32)
        means = np.asarray(Image.fromarray(block).reduce(step))
        reduced[place] = np.rint(means) if is_whole else means
    return _read_only(reduced)


def _read_only(pixels: NDArray[Kind]) -> NDArray[Kind]:
    pixels.setflags(write=False)
    return pixels
