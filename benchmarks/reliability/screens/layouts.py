"""Synthetic ultrasound machine screens around an image: banner, side bar, gray bar, ruler, text.

No machine is copied; the layouts differ in what detection may lean on: where the image lies, how
large it is, whether anything frames it, and how bright the rest is. Names on them are made up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

ROWS, COLUMNS = 768, 1024
Rgb = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Layout:
    """How a screen is laid out.

    Attributes:
        scale: of the image; it is made smaller where the place is.
        place: (x0, y0, x1, y1) that the image lies in, px.
        align: of the image in its place, (across, down) in [0, 1].
        background: behind everything.
        banner: color of the strip on top, None for none.
        panel: (x0, x1, color) of a column with text, or None.
        framed: whether a line of one px runs around the image.
        overlaid: whether text is also written over the image's corners.
    """

    scale: float
    place: tuple[int, int, int, int]
    align: tuple[float, float] = (0.5, 0.0)
    background: Rgb = (0, 0, 0)
    banner: Rgb | None = (0, 0, 0)
    panel: tuple[int, int, Rgb] | None = None
    framed: bool = False
    overlaid: bool = False


LAYOUTS = {
    "text on black": Layout(1.0, (60, 90, 800, 700), panel=(830, 1024, (0, 0, 0))),
    "gray banner and side bar": Layout(
        1.0, (220, 80, 960, 700), banner=(52, 56, 62), panel=(0, 190, (28, 30, 34))
    ),
    "gray window": Layout(
        1.3, (150, 70, 900, 740), (0.5, 0.5), (70, 76, 84), (40, 60, 110), framed=True
    ),
    "light banner": Layout(1.3, (40, 110, 800, 730), banner=(214, 216, 220),
                           panel=(850, 1024, (214, 216, 220))),
    "image fills the screen": Layout(1.9, (24, 46, 960, 752)),
    "text over the image": Layout(1.3, (120, 60, 900, 740), (0.0, 0.0), overlaid=True,
                                  panel=(910, 1024, (0, 0, 0))),
    "small image": Layout(0.8, (300, 200, 900, 700), (0.5, 0.5), (16, 18, 22), (16, 18, 22),
                          panel=(0, 200, (16, 18, 22))),
}  # fmt: skip

_HEAD = ("SYNTHETIC HOSPITAL", "SYNTHETIC^PATIENT", "ID 000-00-000", "01/02/2003  10:11:12",
         "Breast", "L12-5", "MI 0.9  TIs 0.2")  # fmt: skip
_SIDE = ("FR 31Hz", "RS", "2D", "60%", "C 55", "P Med", "HGen", "Gn 48", "D 4.0 cm", "Map 3/0",
         "Frq 12.0", "DR 72", "PI 4", "Res", "Loop 7/120", "AO% 100")  # fmt: skip
_OVER = ("RT BREAST", "LT 2:00 RAD", "UOQ 3CM FN")


@dataclass(frozen=True, slots=True)
class Screen:
    """A drawn screen.

    Attributes:
        pixels: (768, 1024, 3) uint8.
        corners: (x0, y0, x1, y1) of the image in it, px, half-open.
        text: (x0, y0, x1, y1) of each line of text that was drawn.
    """

    pixels: NDArray[np.uint8]
    corners: tuple[int, int, int, int]
    text: tuple[tuple[int, int, int, int], ...]


def draw_screen(image: NDArray[np.uint8], layout: Layout, rng: np.random.Generator) -> Screen:
    """Draw a screen around an image.

    Args:
        image: (rows, columns, 3) uint8.
        layout: one of `LAYOUTS`.
        rng: draws wording and small offsets.
    """
    pen = _Pen(layout, rng)
    if layout.banner is not None:
        pen.draw.rectangle((0, 0, COLUMNS, layout.place[1] - 22), fill=layout.banner)
        pen.write_row(8, 12, layout.banner, rng.permutation(_HEAD[:4]).tolist())
        if layout.place[1] > 60:
            pen.write_row(8, 32, layout.banner, list(_HEAD[4:]))
    if layout.panel is not None:
        left, right, color = layout.panel
        top = layout.place[1] - 21
        pen.draw.rectangle((left, top, right, ROWS), fill=color)
        for number, words in enumerate(rng.permutation(_SIDE).tolist()):
            pen.write((left + 10, top + 16 + 34 * number), words, _ink(color))
    corners = pen.paste(image)
    x0, y0, x1, y1 = corners
    if layout.framed:
        pen.draw.rectangle((x0 - 1, y0 - 1, x1, y1), outline=(150, 156, 164))
    pen.gray_bar(x0 - 22, y0 + 6)
    pen.ruler(x1 + 4, y0, y1)
    if y1 < ROWS - 26:
        pen.write((x0, y1 + 6), "A 12.3 mm   B 8.1 mm", _ink(layout.background))
    if layout.overlaid:
        pen.write((x0 + 12, y1 - 24), str(rng.choice(_OVER)), (235, 235, 235))
    return Screen(np.asarray(pen.canvas), corners, tuple(pen.text))


class _Pen:
    """Draws on one screen and remembers where text stands."""

    def __init__(self, layout: Layout, rng: np.random.Generator) -> None:
        self.layout = layout
        self.rng = rng
        self.canvas = Image.new("RGB", (COLUMNS, ROWS), layout.background)
        self.draw = ImageDraw.Draw(self.canvas)
        self.font = ImageFont.load_default(size=int(rng.integers(13, 18)))
        self.text: list[tuple[int, int, int, int]] = []

    def write(self, at: tuple[float, float], words: str, ink: Rgb) -> None:
        x0, y0, x1, y1 = self.draw.textbbox(at, words, font=self.font)
        if x1 <= COLUMNS and y1 <= ROWS:
            self.draw.text(at, words, fill=ink, font=self.font)
            self.text.append((int(x0), int(y0), int(x1) + 1, int(y1) + 1))

    def write_row(self, x: float, y: float, ground: Rgb, words: list[str]) -> None:
        for each in words:
            self.write((x, y), each, _ink(ground))
            x += self.draw.textlength(each, font=self.font) + 40

    def paste(self, image: NDArray[np.uint8]) -> tuple[int, int, int, int]:
        """Paste the image into its place and return where it lies."""
        rows, columns = image.shape[:2]
        left, top, right, bottom = self.layout.place
        scale = min(self.layout.scale, (right - left) / columns, (bottom - top) / rows)
        width, height = round(columns * scale), round(rows * scale)
        across, down = self.layout.align
        x0 = left + round((right - left - width) * across)
        y0 = top + round((bottom - top - height) * down)
        shown = Image.fromarray(image)
        if (width, height) != (columns, rows):
            shown = shown.resize((width, height), Image.Resampling.BICUBIC)
        self.canvas.paste(shown, (x0, y0))
        return x0, y0, x0 + width, y0 + height

    def gray_bar(self, x: int, y: int) -> None:
        """A wedge of all gray levels left of the image."""
        wedge = np.tile(np.linspace(255, 0, 160).astype(np.uint8)[:, None, None], (1, 12, 3))
        self.canvas.paste(Image.fromarray(wedge), (max(2, x), y))

    def ruler(self, x: int, y0: int, y1: int) -> None:
        """Depth marks right of the image, every fifth longer."""
        for number, y in enumerate(np.linspace(y0, y1 - 1, 21).astype(int).tolist()):
            self.draw.line((x, y, x + (9 if number % 5 == 0 else 4), y), fill=(170, 170, 170))


def _ink(ground: Rgb) -> Rgb:
    """Return a color that can be read on a ground."""
    return (30, 30, 30) if sum(ground) > 380 else (225, 225, 215)
