"""A case of the fake engine, opened and run to its end."""

from __future__ import annotations

from jomed_app.ui.handlers.case import open_case, run_case
from jomed_app.ui.handlers.screen import NO_BANNER, Screen
from jomed_app.ui.session import CaseStore
from tests.ui.fake_engine import FakeEngine, png_bytes


def run_to_end(
    engine: FakeEngine, store: CaseStore, session: str = "a", seed: int = 0
) -> list[Screen]:
    """Return every screen from the opening of a generated picture to its result."""
    screen = open_case(engine, store, session, png_bytes(seed))
    assert screen.banner == NO_BANNER
    return [screen, *run_case(engine, store, session)]
