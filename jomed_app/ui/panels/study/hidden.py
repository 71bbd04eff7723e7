"""What stands in place of an answer that is not shown yet."""

from __future__ import annotations

from dataclasses import dataclass

from jomed_app.ui.templates import Panel


@dataclass(frozen=True, slots=True)
class Hidden(Panel):
    """One sentence; it holds nothing of the case."""
