"""The list of what a visitor opened: place, ways to the next and the one before, marks, table."""

from __future__ import annotations

from dataclasses import dataclass

from jomed_app.ui.templates import Panel
from jomed_app.ui.worklist.rows import MOST_IMAGES


@dataclass(frozen=True, slots=True)
class WorklistStrip(Panel):
    """The strip that worklist.js fills; hidden while fewer than two images were opened.

    Attributes:
        images: that are held at once.
    """

    images: int = MOST_IMAGES
