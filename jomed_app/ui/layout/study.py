"""Own read first: its part of the page, and the events of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from jomed_app.config.app import StudyConfig
from jomed_app.ui.handlers.screen import Screen
from jomed_app.ui.layout.requests import sent, session_of
from jomed_app.ui.panels.study.place import Place
from jomed_app.ui.protocol import ReadingEngine
from jomed_app.ui.session import CaseStore
from jomed_app.ui.study.handlers import say_next, skip_study, switch_study
from jomed_app.ui.templates import render

QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


def study_part(script: str) -> gr.HTML:
    """Return the part: empty until a case is under study.

    Args:
        script: that fills it, and keeps the log in the browser.
    """
    return gr.HTML(
        {"on": False, "key": "", "html": "", "rows": []},
        html_template=render(Place()),
        js_on_load=script,
        elem_id="jomed-study",
    )


def wire(
    part: Any,
    settings: StudyConfig,
    engine: ReadingEngine,
    cases: CaseStore,
    changes: Callable[[Screen, str], list[Any]],
    outputs: list[Any],
) -> None:
    """Connect the part's events to the handlers.

    Args:
        part: from `study_part`.
        settings: whether one click may show everything.
        engine: asked for what a screen shows.
        cases: open ones.
        changes: screen, session -> what the parts of the page take.
        outputs: those parts.
    """

    def on_next(event: gr.EventData, request: gr.Request) -> list[Any]:
        session = session_of(request)
        return changes(say_next(engine, cases, session, sent(event)), session)

    def on_skip(request: gr.Request) -> list[Any]:
        session = session_of(request)
        screen = skip_study(engine, cases, session, may_skip=settings.skip)
        return changes(screen, session)

    def on_switch(request: gr.Request) -> list[Any]:
        session = session_of(request)
        return changes(switch_study(cases, session), session)

    part.study_next(on_next, None, outputs, **QUIET)
    part.study_skip(on_skip, None, outputs, **QUIET)
    part.study_switch(on_switch, None, outputs, **QUIET)
