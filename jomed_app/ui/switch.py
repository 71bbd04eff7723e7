"""Switching between the two searches: what was read is kept, what was not is read then."""

from __future__ import annotations

from jomed_app.types import Retrieval
from jomed_app.ui import handlers, text
from jomed_app.ui.handlers import Screen
from jomed_app.ui.panels import frame as page
from jomed_app.ui.panels import searches
from jomed_app.ui.reading import ReadingEngine
from jomed_app.ui.session import CaseStore


def choose_search(engine: ReadingEngine, store: CaseStore, session: str, retrieval: str) -> Screen:
    """Show a session's case by the other search, and remember the choice for its next cases.

    A search that was read already is shown from memory. For the other the screen is busy, and
    `handlers.run_case` has to follow; after a search from memory it does nothing.

    Args:
        engine: asked for what a screen shows.
        store: open cases.
        session: key of the browser session.
        retrieval: as the page sent it; anything unknown counts as the trained search.
    """
    case = store.get(session)
    if case is None:
        return handlers.closed(engine, text.NO_CASE)
    if engine.info.standard is None:
        return Screen(banner=page.banner(searches.ONE_SEARCH))
    if case.result is None:
        return Screen(banner=page.banner(searches.NOT_READY), is_busy=True)
    chosen: Retrieval = "standard" if retrieval == "standard" else "joint"
    store.choose_search(session, chosen)
    case.retrieval = chosen
    if case.result is not None:
        return handlers.with_removed(engine, case, frozenset(), searches.STATUS_SWITCHED)
    case.removed = frozenset()
    return Screen(status=page.status(searches.STATUS_SEARCHING, is_busy=True), is_busy=True)
