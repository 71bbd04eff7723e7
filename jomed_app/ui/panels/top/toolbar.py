"""The toolbar: open a file or an example, run again, stop, purge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from jomed_app.ui.examples import Example
from jomed_app.ui.images import png_data_url
from jomed_app.ui.templates import Panel

THUMBNAIL_PX = 96


@dataclass(frozen=True, slots=True)
class ExampleButton:
    """One simulated example: its title and its thumbnail as a data URL."""

    title: str
    picture: str


@dataclass(frozen=True, slots=True)
class Toolbar(Panel):
    """The buttons that act on a case; which of them can be pressed is up to toolbar.js."""

    examples: tuple[ExampleButton, ...]

    @classmethod
    def of(cls, examples: Sequence[Example]) -> Toolbar:
        """Return the toolbar with one button per example."""
        return cls(tuple(ExampleButton(each.title, _thumbnail(each)) for each in examples))


def _thumbnail(example: Example) -> str:
    """Return an example in small, gray, as a data URL."""
    with Image.open(example.path) as image:
        image.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
        return png_data_url(np.asarray(image.convert("L"), dtype=np.uint8))
