"""The status line: what is being done now, said politely to a screen reader too."""

from __future__ import annotations

from dataclasses import dataclass

from jomed_app.ui.templates import Panel


@dataclass(frozen=True, slots=True)
class Status(Panel):
    """One sentence, and whether work goes on."""

    sentence: str
    is_busy: bool = False
