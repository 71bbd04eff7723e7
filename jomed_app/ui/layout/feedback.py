"""Judging the answer: its part of the page, which is there only where the operator keeps it."""

from __future__ import annotations

import gradio as gr

from jomed_app.feedback.store import FeedbackStore
from jomed_app.ui.feedback.handlers import feedback_servers
from jomed_app.ui.panels.feedback.folded import Folded
from jomed_app.ui.protocol import ReadingEngine
from jomed_app.ui.session import CaseStore
from jomed_app.ui.study.handlers import read_only_when_shown
from jomed_app.ui.templates import render


def feedback_part(
    engine: ReadingEngine, cases: CaseStore, store: FeedbackStore, script: str
) -> gr.HTML:
    """Return the part: folded, and filled for the case that is shown once it is opened.

    Args:
        engine: works out the answer with what the reader moved.
        cases: open ones.
        store: where judgements are kept.
        script: that asks for the form and sends it.
    """
    return gr.HTML(
        render(Folded()),
        js_on_load=script,
        server_functions=feedback_servers(engine, read_only_when_shown(cases.by_token), store),
        elem_id="jomed-feedback",
    )
