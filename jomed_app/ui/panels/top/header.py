"""The page header: name, task, disclaimer and the versions that answer."""

from __future__ import annotations

from dataclasses import dataclass

from jomed_app.ui.protocol import InfoView
from jomed_app.ui.templates import Panel


@dataclass(frozen=True, slots=True)
class Header(Panel):
    """What runs here, and what it is not.

    Attributes:
        app: version of the app.
        info: names of the task, the bundle and the index, and how many cases the index holds.
    """

    app: str
    info: InfoView
