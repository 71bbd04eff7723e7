"""Images for the page: lossless PNG data URLs, so that no picture is a file on the server."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from jomed_app.imaging.grayscale import is_gray

MAX_DISPLAY_PX = 1024


def png_data_url(pixels: NDArray[np.uint8]) -> str:
    """Return pixels as a lossless PNG data URL, at most 1024 px on the longer side.

    Args:
        pixels: (rows, columns) or (rows, columns, 3) uint8; equal channels are sent as gray.
    """
    if pixels.ndim == 3 and is_gray(pixels):
        pixels = pixels[..., 0]
    rows, columns = pixels.shape[:2]
    factor = MAX_DISPLAY_PX / max(rows, columns)
    if factor >= 1:
        return data_url(Image.fromarray(np.ascontiguousarray(pixels)))
    size = (max(1, round(columns * factor)), max(1, round(rows * factor)))
    # By channel: Pillow would copy a large color image into four bytes a pixel.
    channels = [
        Image.fromarray(np.ascontiguousarray(channel)).resize(size, Image.Resampling.LANCZOS)
        for channel in ([pixels] if pixels.ndim == 2 else np.moveaxis(pixels, 2, 0))
    ]
    return data_url(Image.merge("L" if pixels.ndim == 2 else "RGB", channels))


def jpeg_data_url(pixels: NDArray[np.uint8]) -> str:
    """Return pixels as a JPEG data URL, for what moves: a fifth of a PNG's bytes, not lossless.

    Args:
        pixels: (rows, columns) or (rows, columns, 3) uint8.
    """
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, format="JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def data_url(image: Image.Image, **settings: Any) -> str:
    """Return an image as a PNG data URL.

    Args:
        image: of a mode that PNG knows.
        settings: of Pillow's PNG writer, such as `transparency`.
    """
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", **settings)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
