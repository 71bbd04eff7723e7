"""Where the model looked: a translucent layer over the query, with its legend."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from jomed_app.types import HeatMap
from jomed_app.ui import text
from jomed_app.ui.images import data_url
from jomed_app.ui.reading import Reading
from jomed_app.ui.session import Case

HEAT_SIDE_PX = 192
# Ours: five stops of rising lightness, dark blue to yellow, told apart without red or green.
RAMP = ((13, 8, 135), (126, 3, 168), (204, 71, 120), (248, 149, 64), (240, 249, 33))
RAMP_ALPHA = (0.0, 0.16, 0.36, 0.52, 0.62)


@lru_cache
def heat_palette() -> NDArray[np.uint8]:
    """Return (256, 4) uint8 RGBA: nothing at 0, translucent yellow at the maximum."""
    stops = np.linspace(0.0, 1.0, len(RAMP))
    levels = np.linspace(0.0, 1.0, 256)
    channels = [np.interp(levels, stops, values) for values in zip(*RAMP, strict=True)]
    channels.append(np.interp(levels, stops, RAMP_ALPHA) * 255)
    return np.stack(channels, axis=1).round().astype(np.uint8)


def heat_levels(heatmap: HeatMap) -> NDArray[np.uint8]:
    """Return the values as smooth (rows, columns) levels of 0 to 255, the longer side near 192 px.

    Values are interpolated, not colors, so that every level keeps its place on the ramp.

    Raises:
        ValueError: if there are not rows times columns values.
    """
    expected = heatmap.rows * heatmap.columns
    if len(heatmap.values) != expected or expected == 0:
        raise ValueError(
            f"a heat map of {heatmap.rows} x {heatmap.columns} must hold as many values, found "
            f"{len(heatmap.values)}; fill it row by row"
        )
    grid = np.asarray(heatmap.values, dtype=np.float32).reshape(heatmap.rows, heatmap.columns)
    factor = max(1, round(HEAT_SIDE_PX / max(grid.shape)))
    size = (heatmap.columns * factor, heatmap.rows * factor)
    smooth = np.asarray(Image.fromarray(grid).resize(size, Image.Resampling.BICUBIC))
    levels: NDArray[np.uint8] = (np.clip(smooth, 0.0, 1.0) * 255).round().astype(np.uint8)
    return levels


def heat_data_url(heatmap: HeatMap) -> str:
    """Return the layer as a PNG data URL: the level is the index into `heat_palette`."""
    palette = heat_palette()
    image = Image.fromarray(heat_levels(heatmap), mode="P")
    image.putpalette(palette[:, :3].tobytes())
    return data_url(image, transparency=palette[:, 3].tobytes())


def heat_value(case: Case, reading: Reading) -> dict[str, Any]:
    """Return the heat map as JSON data: image and legend, or None and the reason in words."""
    heatmap = reading.heatmap
    if heatmap is None:
        return {"image": None, "words": _no_heat_words(reading), "ramp": ""}
    colors = ", ".join(f"rgb{color}" for color in RAMP)
    return {
        "image": case.picture(f"heat map, {reading.retrieval}", lambda: heat_data_url(heatmap)),
        "words": text.HEAT_LEGEND,
        "ramp": f"linear-gradient(90deg, {colors})",
    }


def _no_heat_words(reading: Reading) -> str:
    """Return why there is no heat map."""
    if reading.result is None:
        return text.HEAT_WAITING
    return text.HEAT_NONE if reading.candidates else text.HEAT_REFUSED
