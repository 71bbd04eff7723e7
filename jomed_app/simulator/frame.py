"""The frame around the field of view: aspect, black margins, probe shape, burnt-in marks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from jomed_app.boxes import Box

TEXTS = (
    "RT BREAST",
    "LT BREAST",
    "RIGHT BREAST",
    "LEFT BREAST",
    "RT UOQ",
    "LT UOQ",
    "RT LOQ",
    "LT UIQ",
    "RT 10:00",
    "LT 2:00",
    "LT AX",
    "RT 6:00",
)


@dataclass(frozen=True, slots=True)
class Frame:
    """Layout of one exported screen, px.

    Attributes:
        rows, columns: size of the whole image.
        top, left: where the field of view starts.
        field_shape: (rows, columns) of the field of view.
    """

    rows: int
    columns: int
    top: int
    left: int
    field_shape: tuple[int, int]


def draw_frame(rng: np.random.Generator, size_px: int) -> Frame:
    """Draw an aspect near the real ones (width / height about 1.05-1.45) and black margins."""
    columns = size_px
    rows = round(size_px / float(np.clip(rng.normal(1.22, 0.12), 0.95, 1.55)))
    left = right = bottom = 0
    if rng.random() < 0.30:
        right = int(columns * rng.uniform(0.02, 0.14))
        left = int(right * rng.uniform(0, 1)) if rng.random() < 0.3 else 0
    if rng.random() < 0.40:
        bottom = int(rows * rng.uniform(0.02, 0.11))
    return Frame(rows, columns, 0, left, (rows - bottom, columns - left - right))


def framed(
    rng: np.random.Generator, field: NDArray[np.uint8], frame: Frame, lesion: Box | None
) -> NDArray[np.uint8]:
    """Place the field of view in the frame and add what machines burn in.

    Marks are drawn with the same chance in every class: callipers surround the lesion or, without
    one, an arbitrary place.

    Args:
        rng: source of randomness.
        field: (rows, columns) uint8 field of view.
        frame: layout from `draw_frame`.
        lesion: box of the lesion in px of the whole image, or None.

    Returns:
        (frame.rows, frame.columns) uint8.
    """
    image = np.zeros((frame.rows, frame.columns), dtype=np.uint8)
    rows, columns = frame.field_shape
    if rng.random() < 0.06:
        field = np.where(_trapezoid(rng, frame.field_shape), field, 0).astype(np.uint8)
    image[frame.top : frame.top + rows, frame.left : frame.left + columns] = field
    marks = rng.random(3) < (0.8, 0.22, 0.22)
    canvas = Image.fromarray(image)
    draw = ImageDraw.Draw(canvas)
    scale = frame.columns / 480
    if marks[0]:
        _corner_mark(draw, frame, scale)
    if marks[1]:
        _callipers(rng, draw, frame, lesion, scale)
    if marks[2]:
        _text(rng, draw, frame, scale)
    return np.asarray(canvas)


def _trapezoid(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Field of a virtual convex probe: narrower on top."""
    rows, columns = shape
    depth = np.arange(rows)[:, None] / rows
    cut = columns * rng.uniform(0.04, 0.12) * np.clip(1 - depth / rng.uniform(0.3, 1.0), 0, 1)
    across = np.arange(columns)[None, :]
    return (across >= cut) & (across < columns - cut)


def _corner_mark(draw: ImageDraw.ImageDraw, frame: Frame, scale: float) -> None:
    """Small orientation mark of the probe in the upper left corner."""
    size = max(3, round(9 * scale))
    draw.rectangle((frame.left, 0, frame.left + size, size), outline=150, fill=0)


def _callipers(
    rng: np.random.Generator,
    draw: ImageDraw.ImageDraw,
    frame: Frame,
    lesion: Box | None,
    scale: float,
) -> None:
    """One or two pairs of crosses, sometimes joined by a dotted line."""
    if lesion is None:
        width, height = (frame.columns * rng.uniform(0.1, 0.4) for _ in range(2))
        height = min(height, 0.4 * frame.rows)
        x0 = rng.uniform(0.1, 0.5) * frame.columns
        y0 = rng.uniform(0.1, 0.5) * frame.rows
        lesion = Box(x0, y0, x0 + width, y0 + height)
    x, y = lesion.center
    tilt = rng.normal(0, 0.2)
    halves = [(lesion.width / 2, 0.0, tilt), (lesion.height / 2, np.pi / 2, tilt)]
    dotted = rng.random() < 0.6
    font = ImageFont.load_default(size=max(6.0, 12 * scale))
    pairs = halves[: 1 + int(rng.random() < 0.7)]
    for number, (half, turn, offset) in enumerate(pairs, start=1):
        dx, dy = half * np.cos(turn + offset), half * np.sin(turn + offset)
        ends = [(x - dx, y - dy), (x + dx, y + dy)]
        for end in ends:
            _cross(draw, end, max(2.0, 5.5 * scale), max(1, round(1.5 * scale)))
        mark = (ends[0][0] - 13 * scale, ends[0][1] - 7 * scale)
        draw.text(mark, str(number), fill=240, font=font, stroke_width=round(0.4 * scale))
        if dotted:
            for step in np.linspace(0, 1, max(3, int(half / (4 * scale)))):
                px = ends[0][0] + step * (ends[1][0] - ends[0][0])
                py = ends[0][1] + step * (ends[1][1] - ends[0][1])
                draw.point((px, py), fill=230)


def _cross(draw: ImageDraw.ImageDraw, at: tuple[float, float], arm: float, width: int) -> None:
    x, y = at
    draw.line((x - arm, y, x + arm, y), fill=240, width=width)
    draw.line((x, y - arm, x, y + arm), fill=240, width=width)


def _text(rng: np.random.Generator, draw: ImageDraw.ImageDraw, frame: Frame, scale: float) -> None:
    """A side or quadrant label in the lower part."""
    text = TEXTS[int(rng.integers(len(TEXTS)))]
    font = ImageFont.load_default(size=max(7.0, rng.uniform(13, 19) * scale))
    x = rng.uniform(0.02, 0.6) * frame.columns
    y = rng.uniform(0.7, 0.9) * frame.rows
    draw.text((x, y), text, fill=245, font=font, stroke_width=round(0.4 * scale))
