"""Boxes as a model writes them, read back: one kind a family, declared and never guessed.

Ours: reading one kind's units as another's moves an edge by a third of the image without any error.
"No box" and "unreadable" are two answers.
"""

from __future__ import annotations

import re
from typing import Literal

from jomed_app.boxes import Box
from jomed_app.errors import BoxError

BoxKind = Literal["qwen2", "pixels", "thousand", "gemini", "loc"]

_NUMBER = r"(-?\d+(?:\.\d+)?)"
_LIST = rf"\[\s*{_NUMBER}" + rf"\s*,\s*{_NUMBER}" * 3 + r"\s*\]"
_PATTERNS = {
    "qwen2": rf"\({_NUMBER},\s*{_NUMBER}\),\s*\({_NUMBER},\s*{_NUMBER}\)",
    "loc": r"<loc(\d{4})>" * 4,
}
_NONE = re.compile(r"\s*(?:```(?:json)?\s*)?\[\s*\](?:\s*```)?\s*|\s*(?:no|none|there is no)\b.*")
THOUSAND = 1000
LOC_BINS = 1024
NO_BOX = "[]"


def parse_boxes(text: str, kind: BoxKind, size: tuple[int, int]) -> list[Box] | None:
    """Read the boxes of an answer.

    Args:
        text: as generated, special tokens included where the kind is written with them.
        kind: qwen2 and thousand: thousandths of the image; pixels: of the image as the model saw
            it; gemini: thousandths, y first; loc: bins of 1024, y first.
        size: (height, width) in px as the model saw the image; of the kind `pixels` alone.

    Returns:
        Boxes on the unit square of the image, cut to it; none where the text says that there is
        none; None where nothing can be read.
    """
    found = re.findall(_PATTERNS.get(kind, _LIST), text)
    boxes = [box for each in found if (box := _unit_box(each, kind, size)) is not None]
    if boxes:
        return boxes
    return [] if not found and _NONE.fullmatch(text.casefold()) else None


def write_box(box: Box | None, kind: BoxKind, size: tuple[int, int]) -> str:
    """Word a box, or that there is none, as `parse_boxes` reads it: what a model is tuned on.

    Args:
        box: on the unit square of the image; None where there is nothing to enclose.
        kind: as in `parse_boxes`.
        size: (height, width) in px as the model saw the image.

    Returns:
        The text; an edge is rounded to the kind's own step.
    """
    if box is None:
        return NO_BOX
    height, width = size
    scale_x, scale_y = _scales(kind, height, width)
    edges = [
        round(edge * scale)
        for edge, scale in zip(box.as_tuple(), (scale_x, scale_y) * 2, strict=True)
    ]
    if kind in ("gemini", "loc"):
        edges = [edges[1], edges[0], edges[3], edges[2]]
    match kind:
        case "qwen2":
            return f"<|box_start|>({edges[0]},{edges[1]}),({edges[2]},{edges[3]})<|box_end|>"
        case "loc":
            return "".join(f"<loc{min(edge, LOC_BINS - 1):04d}>" for edge in edges)
        case "gemini":
            return f'[{{"box_2d": {edges}}}]'
        case _:
            return f'[{{"bbox_2d": {edges}}}]'


def _scales(kind: BoxKind, height: int, width: int) -> tuple[int, int]:
    """What one side of the image is across and down, in the kind's unit."""
    return {"pixels": (width, height), "loc": (LOC_BINS, LOC_BINS)}.get(kind, (THOUSAND, THOUSAND))


def _unit_box(numbers: tuple[str, ...], kind: BoxKind, size: tuple[int, int]) -> Box | None:
    scale_x, scale_y = _scales(kind, *size)
    first, second, third, fourth = map(float, numbers)
    if kind in ("gemini", "loc"):
        first, second, third, fourth = second, first, fourth, third
    edges = (first / scale_x, second / scale_y, third / scale_x, fourth / scale_y)
    try:
        return Box(*(min(1.0, max(0.0, edge)) for edge in edges))
    except BoxError:  # inverted or empty
        return None
