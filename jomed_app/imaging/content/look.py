"""One look at a picture: every measure of what it holds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jomed_app.imaging.content.kind import colored_share, num_levels, smooth_share
from jomed_app.imaging.content.polarity import uprightness
from jomed_app.types import Content

_SIDE_PX = 256  # of the grid of pixels that is looked at


def look(model_input: NDArray[np.uint8], *, is_gray: bool) -> Content:
    """Measure a picture; what a task makes of it is the task's.

    Args:
        model_input: (rows, columns, 3) uint8, as the model sees it.
        is_gray: whether its three channels are equal.
    """
    step = -(-max(model_input.shape[:2]) // _SIDE_PX)
    # Every n-th pixel as it is: averaging would smooth the grain away.
    red, green, blue = np.ascontiguousarray(model_input[::step, ::step].transpose(2, 0, 1))
    gray = red
    if not is_gray:
        gray = ((red.astype(np.uint16) + green + blue) // 3).astype(np.uint8)
    return Content(
        colored_share=0.0 if is_gray else colored_share(red, green, blue),
        smooth_share=smooth_share(gray),
        num_levels=num_levels(gray),
        uprightness=uprightness(gray),
    )
