"""The menu that saves the case that is shown."""

from __future__ import annotations

from dataclasses import dataclass

from jomed_app.export.kinds import KINDS
from jomed_app.ui.templates import Panel

SHOWN = ("pdf", "png", "json", "csv", "sr", "sc")
"""Kinds in the menu, in its order; the encapsulated PDF is the command line's alone."""


@dataclass(frozen=True, slots=True)
class Save(Panel):
    """One button a kind of export."""

    @property
    def kinds(self) -> dict[str, str]:
        """What each button asks for, and says."""
        return {name: KINDS[name].title for name in SHOWN}
