"""The picture that was read with its boxes, and below it, outside of its pixels, what they mean."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from jomed_app.export.places import placed_boxes
from jomed_app.export.saved import SavedResult
from jomed_app.export.words import DISCLAIMER, NO_BOX, STANDING_WORDS, answer_words, standing

COLORS = ("#ffb000", "#5ec8ff", "#ff6fb5", "#8ae65c", "#c9a2ff")
LEAST_WIDTH = 480  # px, so that the legend is not one word a line
BACKGROUND, TEXT, MARGIN = "#101418", "#f2f4f6", 10
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def with_boxes(saved: SavedResult, pixels: NDArray[np.uint8]) -> Image.Image:
    """Return the picture with an outline around each box; nothing else stands on its pixels.

    Args:
        saved: its boxes are drawn.
        pixels: (rows, columns, 3) uint8 RGB of what was read.
    """
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    pen = ImageDraw.Draw(picture)
    width = max(2, round(max(picture.size) / 300))
    for number, placed in enumerate(placed_boxes(saved)):
        x0, y0, x1, y1 = placed.box.as_tuple()
        left, top = round(x0), round(y0)
        right, bottom = max(round(x1) - 1, left), max(round(y1) - 1, top)
        pen.rectangle((left, top, right, bottom), outline=_color(number), width=width)
    return picture


def labelled_picture(saved: SavedResult, pixels: NDArray[np.uint8]) -> Image.Image:
    """Return the picture with its boxes and a legend below; its px stay where they were.

    Args:
        saved: what the legend tells.
        pixels: as `with_boxes`.
    """
    picture = with_boxes(saved, pixels)
    columns, rows = max(picture.width, LEAST_WIDTH), picture.height
    size = max(14, columns // 48)
    font = ImageFont.load_default(size)
    step, left = round(size * 1.45), MARGIN + round(size * 1.6)
    lines = _wrapped(_legend(saved), font, columns - left - MARGIN)
    whole = Image.new("RGB", (columns, rows + 2 * MARGIN + step * len(lines)), BACKGROUND)
    whole.paste(picture, (0, 0))
    pen = ImageDraw.Draw(whole)
    for number, (color, words) in enumerate(lines):
        top = rows + MARGIN + number * step
        if color:
            pen.rectangle((MARGIN, top + 2, MARGIN + size, top + 2 + size), outline=color, width=3)
        pen.text((left if color or color is None else MARGIN, top), words, TEXT, font)
    return whole


def png(saved: SavedResult, pixels: NDArray[np.uint8]) -> bytes:
    """Return the labelled picture as a PNG file without any metadata."""
    stream = BytesIO()
    labelled_picture(saved, pixels).save(stream, "png")
    return stream.getvalue()


def _legend(saved: SavedResult) -> list[tuple[str, str]]:
    """Lines below the picture: the color of a box, empty for other lines, and words."""
    result, boxes = saved.result, placed_boxes(saved)
    lines = [
        ("", f"JOMED app {result.versions.app}. {DISCLAIMER}"),
        ("", answer_words(result)),
        ("", STANDING_WORDS[standing(result)].capitalize()),
    ]
    lines += [("", f"Read although: {each}") for each in result.input.overruled_messages]
    lines += [
        (_color(number), f"{placed.label}, score {placed.score:.2f}")
        for number, placed in enumerate(boxes)
    ]
    return lines if boxes or result.final.abstained else [*lines, ("", NO_BOX)]


def _wrapped(lines: list[tuple[str, str]], font: Font, width: int) -> list[tuple[str | None, str]]:
    """Break lines at blanks where they are wider than so many px; None continues a box's line."""
    broken: list[tuple[str | None, str]] = []
    for color, words in lines:
        first: str | None = color
        line = ""
        for word in words.split():
            longer = f"{line} {word}".strip()
            if line and font.getlength(longer) > width:
                broken.append((first, line))
                first, line = (None if color else ""), word
            else:
                line = longer
        broken.append((first, line))
    return broken


def _color(number: int) -> str:
    return COLORS[number % len(COLORS)]
