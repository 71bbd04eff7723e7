"""Images for the page: lossless PNG data URLs, so that no picture is a file on the server."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

MAX_DISPLAY_PX = 1024


def png_data_url(pixels: NDArray[np.uint8]) -> str:
    """Return pixels as a lossless PNG data URL, at most 1024 px on the longer side.

    Args:
        pixels: (rows, columns) or (rows, columns, 3) uint8; equal channels are sent as gray.
    """
    if pixels.ndim == 3 and bool((pixels == pixels[..., :1]).all()):
        pixels = pixels[..., 0]
    image = Image.fromarray(np.ascontiguousarray(pixels))
    longer = max(image.size)
    if longer > MAX_DISPLAY_PX:
        factor = MAX_DISPLAY_PX / longer
        size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
        image = image.resize(size, Image.Resampling.LANCZOS)
    return data_url(image)


def data_url(image: Image.Image, **settings: Any) -> str:
    """Return an image as a PNG data URL.

    Args:
        image: of a mode that PNG knows.
        settings: of Pillow's PNG writer, such as `transparency`.
    """
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", **settings)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
