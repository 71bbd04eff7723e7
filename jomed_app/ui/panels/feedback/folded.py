"""The judgement's place: folded, and empty until it is opened."""

from __future__ import annotations

from dataclasses import dataclass

from jomed_app.ui.templates import Panel


@dataclass(frozen=True, slots=True)
class Folded(Panel):
    """Its title alone; the form comes for the case that is shown."""
