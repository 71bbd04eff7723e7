"""What the user looks at: any window over the same modality values; the model input stays."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from jomed_app.errors import ImageError
from jomed_app.imaging.grayscale import VoiFunction, to_uint8
from jomed_app.types import ImageRecord, Window

# Usual CT windows in Hounsfield units; file windows come first where a file has them.
CT_PRESETS = (
    Window(-600.0, 1500.0, "Lung"),
    Window(40.0, 400.0, "Soft tissue"),
    Window(400.0, 1800.0, "Bone"),
    Window(40.0, 80.0, "Brain"),
    Window(60.0, 160.0, "Liver"),
)


def render(record: ImageRecord, window: Window, invert: bool = False) -> NDArray[np.uint8]:
    """Render a frame through a display window; `record.model_input` never changes.

    Args:
        record: a decoded frame.
        window: in modality values for gray, in display values 0 to 255 for color.
        invert: turn the picture over, on top of the file's own polarity.

    Returns:
        (rows, columns) uint8 for gray, (rows, columns, 3) for color; 0 is black.

    Raises:
        ImageError: if the window's width is not above 0 or a value is not finite.
    """
    if not (math.isfinite(window.center) and math.isfinite(window.width) and window.width > 0):
        raise ImageError(
            "a display window must be finite with a width above 0, found "
            f"center {window.center} and width {window.width}; reset the window"
        )
    if record.modality_values is None:
        return to_uint8(record.model_input, window, VoiFunction.LINEAR_EXACT, invert)
    function = VoiFunction(record.metadata.get("VOILUTFunction", VoiFunction.LINEAR_EXACT))
    return to_uint8(record.modality_values, window, function, record.inverted != invert)


def presets(record: ImageRecord) -> tuple[Window, ...]:
    """Return the windows to offer: the file's own by name, then the usual ones for CT."""
    own = record.windows or (Window(127.5, 255.0, "full range"),)
    if record.info.modality == "CT" and record.modality_values is not None:
        return own + CT_PRESETS
    return own
