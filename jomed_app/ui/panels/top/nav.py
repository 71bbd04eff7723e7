"""The way from page to page: the reading page, what was measured, the collection, about."""

from __future__ import annotations

from dataclasses import dataclass

from jomed_app.ui import text
from jomed_app.ui.templates import Panel


@dataclass(frozen=True, slots=True)
class Nav(Panel):
    """The pages, the present one marked.

    From the reading page the others open in a tab of their own: a case ends with its tab.

    Attributes:
        here: address of the present page, a key of `text.PAGES`.
    """

    here: str

    @property
    def pages(self) -> dict[str, str]:
        """Address, relative to any of the pages -> name."""
        return text.PAGES
