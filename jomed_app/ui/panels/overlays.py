"""Layers over the query: where the model looked, and where similar cases show their finding."""

from __future__ import annotations

import base64
import io
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from jomed_app.boxes import Box
from jomed_app.types import CandidateResult, HeatMap
from jomed_app.ui import text
from jomed_app.ui.reading import Reading
from jomed_app.ui.session import Case

HEAT_SIDE_PX = 192
# Ours: five stops of rising lightness, dark blue to yellow, told apart without red or green.
RAMP = ((13, 8, 135), (126, 3, 168), (204, 71, 120), (248, 149, 64), (240, 249, 33))
RAMP_ALPHA = (0.0, 0.16, 0.36, 0.52, 0.62)
ZONE_ROWS = ("upper", "", "lower")
ZONE_COLUMNS = ("left", "middle", "right")
CENTER = "center"


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
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", transparency=palette[:, 3].tobytes())
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


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


def usual_value(reading: Reading) -> dict[str, Any]:
    """Return the candidates' known boxes as JSON data, in fractions of their own images.

    Args:
        reading: its candidates are those that take part in the sum.

    Returns:
        `boxes` with x0, y0, x1, y1 in [0, 1], `strength` in [0, 1] (weight by the largest) and
        `label` (rank and weight; on the largest box of each case alone); `words` and `ready`.
    """
    candidates = reading.candidates
    most = max((each.weight for each in candidates), default=0.0)
    boxes = []
    for each in candidates:
        for number, box in enumerate(relative_boxes(each)):
            boxes.append(
                {
                    "x0": box.x0,
                    "y0": box.y0,
                    "x1": box.x1,
                    "y1": box.y1,
                    "strength": each.weight / most if most else 1.0,
                    "label": f"#{each.rank} {each.weight:.2f}" if number == 0 else "",
                }
            )
    words = usual_words(candidates) if candidates else text.USUAL_WAITING
    note = f" {text.USUAL_NOTE}" if boxes else ""
    return {"boxes": boxes, "words": words + note, "ready": bool(candidates)}


def relative_boxes(candidate: CandidateResult) -> list[Box]:
    """Return a candidate's known boxes in fractions of its own image, largest first."""
    if not candidate.rows or not candidate.columns:
        return []
    scale = np.array([candidate.columns, candidate.rows] * 2, dtype=np.float64)
    inside = [np.clip(np.asarray(box) / scale, 0.0, 1.0).tolist() for box in candidate.boxes]
    boxes = [Box(*edges) for edges in inside if edges[0] < edges[2] and edges[1] < edges[3]]
    return sorted(boxes, key=lambda box: -box.area)


def zone_of(box: Box) -> str:
    """Return in which ninth of the image a box in [0, 1] has its middle, in words."""
    x, y = box.center
    row, column = ZONE_ROWS[min(2, int(y * 3))], ZONE_COLUMNS[min(2, int(x * 3))]
    if not row:
        return CENTER if column == "middle" else f"middle {column}"
    return f"{row} {column}"


def usual_words(candidates: Sequence[CandidateResult]) -> str:
    """Return where similar cases show their finding, by the largest known box of each.

    Args:
        candidates: at least one.
    """
    total = len(candidates)
    cases = f"{total} similar case{'' if total == 1 else 's'}"
    weights: dict[str, list[float]] = defaultdict(list)
    for each in candidates:
        if boxes := relative_boxes(each):
            weights[zone_of(boxes[0])].append(each.weight)
    placed = sum(map(len, weights.values()))
    if not placed:
        return f"Of {cases}, none has a known box: there is no usual place to show."
    without = total - placed
    rest = f"; {without} {'has' if without == 1 else 'have'} no known box." if without else "."
    most = max(map(len, weights.values()))
    if most == 1 and placed > 1:
        return f"In {placed} of {cases} the findings lie in {placed} different places{rest}"
    leaders = [zone for zone in weights if len(weights[zone]) == most]
    leaders.sort(key=lambda zone: -sum(weights[zone]))
    shares = [f"(weight {sum(weights[zone]):.2f})" for zone in leaders]
    words = f"In {most} of {cases} {shares[0]} the finding lies in the {leaders[0]}"
    for zone, share in zip(leaders[1:], shares[1:], strict=True):
        words += f", in {most} {share} in the {zone}"
    elsewhere = placed - most * len(leaders)
    other = f"; {elsewhere} elsewhere" if elsewhere else ""
    return f"{words} of the image{other}{rest}"
