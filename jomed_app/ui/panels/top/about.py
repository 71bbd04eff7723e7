"""What answers here, on request: the versions; beside it, the switch between light and dark."""

from __future__ import annotations

from dataclasses import dataclass

from jomed_app.ui.protocol import InfoView
from jomed_app.ui.templates import Panel


@dataclass(frozen=True, slots=True)
class About(Panel):
    """The versions of all that takes part in an answer.

    Attributes:
        app: version of the app.
        info: names of the bundle, the index and the reader, how its weights are held, and how many
            cases the index holds.
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
