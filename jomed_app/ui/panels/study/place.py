"""The own read's place on the page."""

from __future__ import annotations

from dataclasses import dataclass

from jomed_app.ui.templates import Panel


@dataclass(frozen=True, slots=True)
class Place(Panel):
    """Empty until a case is under study."""
