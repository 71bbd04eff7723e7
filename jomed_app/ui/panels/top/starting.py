"""The page while the models are being loaded: what is loaded, and how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from jomed_app.ui.templates import Panel


class Moment(Protocol):
    """How far the loading is; `server.starting.state.Loaded` satisfies it."""

    @property
    def share(self) -> float:
        """Of the present step that is done, in [0, 1]."""

    @property
    def words(self) -> str:
        """The step, the amount and the time left in one phrase."""


@dataclass(frozen=True, slots=True)
class Starting(Panel):
    """The whole page, without Gradio.

    Attributes:
        models: what is being loaded, in words.
        now: how far it is; the page's script asks for more.
    """

    models: str
    now: Moment
