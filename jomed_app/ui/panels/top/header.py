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
        info: names of the task, the bundle, the index and the reader, how its weights are held, how
            many cases the index holds, and the machine that images are sent to, if any.
    """

    app: str
    info: InfoView

    @property
    def reader(self) -> str:
        """The reader with its commit, and how its weights are held; empty where nobody says."""
        if not self.info.reader:
            return ""
        kind, _, origin = self.info.reader.partition(": ")
        held = f", {self.info.precision}" if self.info.precision else ""
        return f" \N{MIDDLE DOT} reader {origin or kind}{held}"
