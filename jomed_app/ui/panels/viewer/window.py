"""Display windows of the query, in modality values; they never change what the model sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jomed_app.imaging import display
from jomed_app.imaging.grayscale import sub_grid
from jomed_app.types import ImageRecord, Window
from jomed_app.ui.images import png_data_url
from jomed_app.ui.session import Case

MAX_PRESETS = 5


def render_query(image: ImageRecord, window: Window | None = None) -> str:
    """Return the query as a data URL: what the model sees, or the same under a display window."""
    return png_data_url(image.model_input if window is None else display.render(image, window))


def window_presets(image: ImageRecord) -> list[Window]:
    """Return up to five display windows: the file's own first, then ones from its values."""
    values: NDArray[Any] = image.model_input
    if image.modality_values is not None:
        values = image.modality_values
    offered = list(display.presets(image))[:MAX_PRESETS]
    low, dark, middle, bright, high = (
        float(value)
        for value in np.percentile(sub_grid(values).astype(np.float32), (0.5, 5, 50, 95, 99.5))
    )
    for name, start, stop in (
        ("contrast", dark, bright),
        ("dark tissue", low, middle + (high - middle) * 0.25),
        ("bright tissue", middle, high),
    ):
        if stop > start:
            offered.append(Window(center=(start + stop) / 2, width=stop - start, name=name))
    return offered[:MAX_PRESETS]


def window_controls(image: ImageRecord) -> dict[str, Any]:
    """Return ranges and presets of the window sliders, in modality values (colour: 0 to 255)."""
    values = image.model_input if image.modality_values is None else image.modality_values
    presets = window_presets(image)
    first = presets[0]
    low = min(float(values.min()), first.center - first.width / 2)
    high = max(float(values.max()), first.center + first.width / 2)
    return {
        "center": first.center,
        "width": first.width,
        "low": low,
        "high": high,
        "widest": (high - low) * 1.5,
        "step": (high - low) / 512,
        "inverted": image.inverted,
        "presets": [
            {"name": preset.name or "file", "center": preset.center, "width": preset.width}
            for preset in presets
        ],
    }


def window_server(find: Callable[[str], Case | None]) -> Callable[[Mapping[str, Any]], Any]:
    """Return the function that the page calls to get the query under another window.

    Args:
        find: token -> case, or None.
    """

    def window_query(request: Mapping[str, Any]) -> str | None:
        """Return a PNG data URL rendered from the full range of values, or None."""
        try:
            case = find(str(request["case"]))
            window = Window(center=float(request["center"]), width=float(request["width"]))
        except (KeyError, TypeError, ValueError):
            return None
        is_usable = np.isfinite(window.center) and np.isfinite(window.width) and window.width > 0
        if case is None or not is_usable:
            return None
        with case.in_use():
            return render_query(case.image, window)

    return window_query
