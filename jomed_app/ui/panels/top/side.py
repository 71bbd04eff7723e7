"""What stands at the side of every page's header: the other pages, the switch of light and dark."""

from __future__ import annotations

from dataclasses import dataclass

from jomed_app.ui.panels.top.nav import Nav
from jomed_app.ui.templates import Panel


@dataclass(frozen=True, slots=True)
class Side(Panel):
    """The ways from here.

    Attributes:
        here: address of the present page.
    """

    here: str = "./"

    @property
    def nav(self) -> Nav:
        """The pages."""
        return Nav(self.here)
