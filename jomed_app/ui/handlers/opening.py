"""The example that the page opens with: read by the model once, shown finished to every visitor."""

from __future__ import annotations

from jomed_app.types import Result, Retrieval
from jomed_app.ui import text
from jomed_app.ui.examples import Example
from jomed_app.ui.handlers.case import open_case
from jomed_app.ui.handlers.removal import Wish, with_moved
from jomed_app.ui.handlers.screen import Screen
from jomed_app.ui.protocol import ReadingEngine
from jomed_app.ui.session import CaseStore


class Opening:
    """A shipped example and what the model that runs here made of it.

    The first visitor's page has it read, as any case is; the result is kept, for it is of no
    patient, and later visitors find it finished.

    Args:
        example: one of those that ship with the app.
    """

    def __init__(self, example: Example) -> None:
        self._example = example
        self._results: dict[Retrieval, Result] = {}

    def open(self, engine: ReadingEngine, store: CaseStore, session: str) -> Screen:
        """Open the example for a session; where it was not read yet, `run_case` has to follow."""
        screen = open_case(
            engine,
            store,
            session,
            self._example.path.read_bytes(),
            is_simulated=True,
            drawn_as=self._example.known,
        )
        case = store.get(session)
        if case is None:
            return screen
        case.kept_results = self._results
        case.results.update(self._results)
        if case.result is None:
            return screen
        return with_moved(engine, case, Wish(), text.STATUS_OPENING)
