"""Switching between the two searches: what was read is kept, what was not is read then."""

from __future__ import annotations

from jomed_app.types import Retrieval
from jomed_app.ui import text
from jomed_app.ui.handlers.removal import Wish, with_moved
from jomed_app.ui.handlers.screen import Screen, closed
from jomed_app.ui.panels.top.banner import Banner
from jomed_app.ui.panels.top.status import Status
from jomed_app.ui.protocol import ReadingEngine
from jomed_app.ui.session import CaseStore


def choose_search(engine: ReadingEngine, store: CaseStore, session: str, retrieval: str) -> Screen:
    """Show a session's case by the other search, and remember the choice for its next cases.

    A search that was read already is shown from memory. For the other the screen is busy, and
    `case.run_case` has to follow; after a search from memory it does nothing.

    Args:
        engine: asked for what a screen shows.
        store: open cases.
        session: key of the browser session.
        retrieval: as the page sent it; anything unknown counts as the trained search.
    """
    case = store.get(session)
    if case is None:
        return closed(text.NO_CASE)
    if engine.info.standard is None:
        return Screen(banner=Banner(text.ONE_SEARCH))
    if case.result is None:
        return Screen(banner=Banner(text.SEARCH_NOT_READY), is_busy=True)
    chosen: Retrieval = "standard" if retrieval == "standard" else "joint"
    store.choose_search(session, chosen)
    case.retrieval = chosen
    if case.result is not None:
        return with_moved(engine, case, Wish(), text.STATUS_SWITCHED)
    case.removed, case.factors, case.image_share = frozenset(), {}, None
    return Screen(status=Status(text.STATUS_SEARCHING, is_busy=True), is_busy=True)
