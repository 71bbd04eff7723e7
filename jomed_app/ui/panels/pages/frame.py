"""What every page beside the reading page carries: the header with its warning, the ways."""

from __future__ import annotations

from dataclasses import dataclass

from jomed_app.ui.panels.pages.shelf import Shelf
from jomed_app.ui.panels.top.header import Header
from jomed_app.ui.panels.top.side import Side
from jomed_app.ui.protocol import InfoView
from jomed_app.ui.templates import Panel


@dataclass(frozen=True, slots=True)
class Page(Panel):
    """A whole page; a class of its own for each, whose template extends `frame.html`.

    Attributes:
        shelf: what it speaks of.
    """

    shelf: Shelf

    @property
    def here(self) -> str:
        """Address of the page, a key of `text.PAGES`: the name of its module."""
        return type(self).__module__.rpartition(".")[2]

    @property
    def info(self) -> InfoView:
        """What the engine says of itself."""
        info: InfoView = self.shelf.info
        return info

    @property
    def header(self) -> Header:
        """Name, task and warning."""
        return Header(self.info)

    @property
    def side(self) -> Side:
        """The other pages."""
        return Side(self.here)
