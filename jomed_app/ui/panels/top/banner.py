"""The banner: why something was not done; nothing where there is nothing to say."""

from __future__ import annotations

from dataclasses import dataclass

from jomed_app.ui.templates import Panel


@dataclass(frozen=True, slots=True)
class Banner(Panel):
    """One sentence; empty where all is well."""

    sentence: str
