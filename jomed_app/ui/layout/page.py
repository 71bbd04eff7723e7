"""The page of an engine: which parts there are, and where each stands."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from jomed_app.config import AppConfig
from jomed_app.feedback.store import FeedbackStore
from jomed_app.ui import text
from jomed_app.ui.examples import first_of, load_examples
from jomed_app.ui.gradio_memory import forget_session
from jomed_app.ui.handlers.opening import Opening
from jomed_app.ui.handlers.report_text import report_server
from jomed_app.ui.handlers.save import save_server
from jomed_app.ui.layout.endpoint import add_api
from jomed_app.ui.layout.events import Desk, Parts, wire
from jomed_app.ui.layout.feedback import feedback_part
from jomed_app.ui.layout.mount import ROOT
from jomed_app.ui.layout.requests import session_of
from jomed_app.ui.layout.study import study_part
from jomed_app.ui.layout.worklist import wire_worklist
from jomed_app.ui.line import Line
from jomed_app.ui.panels.diagnosis.diagnosis import Diagnosis
from jomed_app.ui.panels.top.header import Header
from jomed_app.ui.panels.top.side import Side
from jomed_app.ui.panels.top.status import Status
from jomed_app.ui.panels.top.toolbar import Toolbar
from jomed_app.ui.panels.top.worklist import WorklistStrip
from jomed_app.ui.panels.viewer.frames import frames_server
from jomed_app.ui.panels.viewer.viewer import Viewer, empty_value
from jomed_app.ui.panels.viewer.window import window_server
from jomed_app.ui.protocol import ReadingEngine
from jomed_app.ui.session import CaseStore
from jomed_app.ui.study.handlers import read_only_when_shown
from jomed_app.ui.study.study import Studies
from jomed_app.ui.templates import as_gradio_template, render
from jomed_app.ui.uploads import UploadStore
from jomed_app.ui.worklist.handlers import table_server
from jomed_app.ui.worklist.rows import MOST_ROWS

EXAMPLES = ROOT / "assets" / "examples"
# One scope: the tools use what the viewer is made of, which starts when all of it is there.
VIEWER_SCRIPTS = (
    "tone.js", "viewer.js", "ruler.js", "blend.js", "lens.js", "cine.js", "viewer_start.js"
)  # fmt: skip


class _Page(gr.Blocks):
    """Takes a call that leaves its last inputs out; Gradio would log what such a call holds."""

    def validate_inputs(self, block_fn: Any, inputs: list[Any]) -> None:
        """Fill up with None, in place."""
        inputs += [None] * (len(block_fn.inputs) - len(inputs))


def build_ui(
    engine: ReadingEngine,
    settings: AppConfig | None = None,
    *,
    store: CaseStore | None = None,
    uploads: UploadStore | None = None,
    line: Line | None = None,
    feedback: FeedbackStore | None = None,
    examples: Path = EXAMPLES,
) -> gr.Blocks:
    """Return the page for an engine; `mount_page` puts it into an app.

    Args:
        engine: read-only, shared by all sessions.
        settings: upload limit, queue and time limit; the defaults when None.
        store: where open cases live; a new one by default.
        uploads: where files wait for their case; nothing else is taken, so without it none is.
        line: in which cases wait for the model; a new one by default.
        feedback: where judgements of answers are kept; None asks for none.
        examples: folder of the simulated examples; may be missing.
    """
    settings = settings or AppConfig()
    case_seconds = 60 * settings.session_minutes
    cases = store if store is not None else CaseStore(lifetime_s=case_seconds)
    files_sent = uploads if uploads is not None else UploadStore(Path(get_upload_folder()))
    cases.studies = Studies(settings.study.mode)
    line = line if line is not None else Line(settings.max_queue)
    shown_examples = load_examples(examples)
    first = first_of(shown_examples)
    linked = {each.name: Opening(each) for each in shown_examples}
    opening = None if first is None else linked[first.name]
    desk = Desk(engine, line, cases, files_sent, settings, shown_examples, opening, linked)
    blocks: gr.Blocks = _Page(
        analytics_enabled=False, delete_cache=(60, case_seconds), title=text.TITLE, fill_width=True
    )
    with blocks:
        parts = _parts(
            engine, cases, settings, Toolbar.of(shown_examples, settings.study.mode), feedback
        )
        wire_worklist(parts, desk, wire(blocks, parts, desk))
        add_api(engine, line, files_sent)

        def on_unload(request: gr.Request) -> None:
            cases.end(session_of(request))
            forget_session(blocks, session_of(request))

        blocks.unload(on_unload)
    blocks.queue(max_size=settings.max_queue, default_concurrency_limit=2)
    return blocks


def _parts(
    engine: ReadingEngine,
    cases: CaseStore,
    settings: AppConfig,
    toolbar_panel: Toolbar,
    feedback: FeedbackStore | None = None,
) -> Parts:
    """Place the parts: one line on top, what went wrong, then the image beside the answer."""
    with gr.Row(elem_id="jomed-top"):
        gr.HTML(render(Header(engine.info)), elem_id="jomed-header")
        toolbar = gr.HTML(
            {"busy": False, "case": False, "run": False},
            html_template=as_gradio_template(render(toolbar_panel)),
            js_on_load=_script("toolbar.js"),
            elem_id="jomed-toolbar",
        )
        worklist = gr.HTML(
            {"key": "", "current": None, "rows": []},
            html_template=as_gradio_template(render(WorklistStrip())),
            js_on_load=_script("worklist.js")
            .replace("@limit_mb", str(settings.max_file_mb))
            .replace("@most_rows", str(MOST_ROWS)),
            server_functions=[table_server(cases)],
            elem_id="jomed-worklist",
        )
        status = gr.HTML(render(Status(text.STATUS_IDLE)), elem_id="jomed-status")
        gr.HTML(
            render(Side()),
            js_on_load=_script("theme.js") + _script("keyboard.js"),
            elem_id="jomed-side",
        )
    banner = gr.HTML("", elem_id="jomed-banner")
    checks = gr.HTML("", elem_id="jomed-checks")
    with gr.Row(elem_id="jomed-reading"):
        viewer = gr.HTML(
            empty_value(),
            html_template=as_gradio_template(render(Viewer())),
            js_on_load="".join(_script(name) for name in VIEWER_SCRIPTS),
            server_functions=[window_server(cases.by_token), frames_server(cases.by_token)],
            elem_id="jomed-viewer",
        )
        panel = gr.HTML(
            render(Diagnosis()),
            js_on_load="".join(map(_script, ("diagnosis.js", "save.js", "report_text.js"))),
            server_functions=[
                save_server(engine, read_only_when_shown(cases.by_token)),
                report_server(engine, read_only_when_shown(cases.by_token)),
            ],
            elem_id="jomed-panel",
        )
        study = study_part(_script("study.js"))
        if feedback is not None:
            feedback_part(engine, cases, feedback, _script("feedback.js"))
    seconds = 60 * settings.session_minutes
    held = gr.State("", time_to_live=seconds, delete_callback=_forget(cases))
    return Parts(toolbar, worklist, status, banner, checks, viewer, panel, study, held)


def _script(name: str) -> str:
    """Return a script that ships inside the package."""
    return (files("jomed_app.ui") / "static" / name).read_text(encoding="utf-8")


def _forget(cases: CaseStore) -> Callable[[Any], None]:
    """Return the callback that purges a session when its state ends."""

    def forget(session: Any) -> None:
        if isinstance(session, str) and session:
            cases.purge(session)

    return forget
