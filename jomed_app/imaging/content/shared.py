"""The picture as it may leave the app: what is read, with every line of text painted over."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jomed_app.imaging.content.held import reduced_corners
from jomed_app.imaging.content.text import lines_in, paint_over
from jomed_app.types import ImageRecord


def shared_pixels(record: ImageRecord) -> NDArray[np.uint8]:
    """Return the part of a picture that was read, without the text that was found in it.

    A single line, which the model reads the picture with, may still name a patient: it goes here.
    What the detector does not find stays; see `content.text`.

    Args:
        record: of any file.

    Returns:
        (rows, columns, 3) uint8 RGB, of the size of `model_input`.
    """
    picture, region = record.picture, record.info.region
    if picture is None or region is None:
        return record.model_input
    lines = lines_in(picture.text, region.corners)
    small = tuple(reduced_corners(line, picture.step) for line in lines)
    return paint_over(record.model_input, small, least=1)
