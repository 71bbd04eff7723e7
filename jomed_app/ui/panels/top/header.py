"""The page header: name, task and disclaimer, which never scroll away."""

from __future__ import annotations

from dataclasses import dataclass

from jomed_app.ui.protocol import InfoView
from jomed_app.ui.templates import Panel


@dataclass(frozen=True, slots=True)
class Header(Panel):
    """What runs here, and what it is not.

    Attributes:
        info: names of the task, and the machine that images are sent to, if any.
    """

    info: InfoView
