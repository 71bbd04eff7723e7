"""The events of the list: images read behind the one that is shown, and going among them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import gradio as gr

from jomed_app.errors import JomedError
from jomed_app.ui.handlers.case import awaits_model, run_case
from jomed_app.ui.handlers.decoding import Decoding
from jomed_app.ui.handlers.screen import failure
from jomed_app.ui.handlers.upload import refused_sentence, take_upload
from jomed_app.ui.layout.events import IN_LINE, OPENING, QUIET, Desk, Parts, runner, screen_changes
from jomed_app.ui.layout.requests import require_secret, sent, session_of
from jomed_app.ui.worklist.handlers import enlist, list_value, mark_row, row_asked, show_row

DECODED_AT_ONCE = 4  # ours: of all lists; what a visitor waits for has threads of its own


def wire_worklist(parts: Parts, desk: Desk, after: list[Any]) -> None:
    """Connect the list's events to the handlers.

    Args:
        parts: of the page.
        desk: what the handlers work with.
        after: events of the open case, after each of which the list is shown anew.
    """
    worklist = parts.worklist
    engine, cases, outputs = desk.engine, desk.cases, parts.outputs
    decoding = Decoding(DECODED_AT_ONCE, DECODED_AT_ONCE // 2)

    def shown(request: gr.Request) -> dict[str, Any]:
        return list_value(cases, session_of(request))

    async def on_behind(event: gr.EventData, request: gr.Request) -> AsyncIterator[Any]:
        session, wish = session_of(request), sent(event)
        row = row_asked(wish)
        try:
            data, sender = take_upload(desk.uploads, wish.get("path"))
            require_secret(request)
        except JomedError as error:
            cases.refuse(session, row, failure(error))
            yield list_value(cases, session)
            return
        if row is None:
            yield gr.skip()
            return
        decode = partial(enlist, engine, cases, session, row, data, sender)
        del data
        case = await decoding.run(sender, decode)
        del decode  # it holds the file
        yield list_value(cases, session)
        if case is None:
            return
        try:
            turn = desk.line.join()
        except JomedError as error:
            cases.stopped(session, case, failure(error))
            yield list_value(cases, session)
            return
        with turn:
            async for _ in turn.places():
                if not awaits_model(cases, session, case):
                    return
            async for _ in turn.steps(run_case(engine, cases, session, case)):
                pass
        yield list_value(cases, session)

    def on_show(event: gr.EventData, request: gr.Request) -> list[Any]:
        session = session_of(request)
        screen = show_row(engine, cases, session, row_asked(sent(event)))
        return screen_changes(desk, screen, session)

    def on_mark(event: gr.EventData, request: gr.Request) -> dict[str, Any]:
        session, wish = session_of(request), sent(event)
        mark_row(cases, session, row_asked(wish), wish.get("mark"))
        return list_value(cases, session)

    def on_refused(event: gr.EventData, request: gr.Request) -> dict[str, Any]:
        session, wish = session_of(request), sent(event)
        sentence = refused_sentence(wish.get("said"), desk.settings.max_file_mb)
        cases.refuse(session, row_asked(wish), sentence)
        return list_value(cases, session)

    worklist.list_file(on_behind, None, worklist, **QUIET, **IN_LINE)
    worklist.list_look(shown, None, worklist, **QUIET)
    worklist.list_mark(on_mark, None, worklist, **QUIET)
    worklist.list_refused(on_refused, None, worklist, **QUIET)
    again = worklist.list_show(on_show, None, outputs, **QUIET, **OPENING)
    again.then(shown, None, worklist, **QUIET)
    run = runner(desk, len(outputs), is_shown_again=True)
    read = again.then(run, None, outputs, **QUIET, **IN_LINE)
    for each in (*after, read):
        each.then(shown, None, worklist, **QUIET)
