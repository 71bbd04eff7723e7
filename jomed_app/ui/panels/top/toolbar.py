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
    """One simulated example: its title, its thumbnail as a data URL, what a link calls it."""

    title: str
    picture: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Toolbar(Panel):
    """The buttons that act on a case; which of them can be pressed is up to toolbar.js."""

    examples: tuple[ExampleButton, ...]
    offers_study: bool = False

    @classmethod
    def of(cls, examples: Sequence[Example], study: str = "off") -> Toolbar:
        """Return the toolbar with one button per example.

        Args:
            examples: that ship with the app.
            study: "offered" adds a button; "required" keeps the titles, which tell, for later.
        """
        titles = [
            f"Example {number}" if study == "required" else each.title
            for number, each in enumerate(examples, start=1)
        ]
        buttons = tuple(
            ExampleButton(title, _thumbnail(each), each.name)
            for title, each in zip(titles, examples, strict=True)
        )
        return cls(buttons, offers_study=study == "offered")


def _thumbnail(example: Example) -> str:
    """Return an example in small, gray, as a data URL."""
    with Image.open(example.path) as image:
        image.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
        return png_data_url(np.asarray(image.convert("L"), dtype=np.uint8))
