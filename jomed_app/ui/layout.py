"""The only gradio door: components, events and launch settings; every decision is in handlers."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import gradio as gr

from jomed_app import __version__
from jomed_app.config import AppConfig
from jomed_app.errors import ImageError, JomedError
from jomed_app.ui import text
from jomed_app.ui.examples import Example, load_examples
from jomed_app.ui.handlers import api, case, removal, search
from jomed_app.ui.handlers.screen import Screen, closed, failure
from jomed_app.ui.handlers.upload import take_upload
from jomed_app.ui.panels.diagnosis.diagnosis import Diagnosis
from jomed_app.ui.panels.top.header import Header
from jomed_app.ui.panels.top.status import Status
from jomed_app.ui.panels.top.toolbar import Toolbar
from jomed_app.ui.panels.viewer.viewer import Viewer, empty_value
from jomed_app.ui.panels.viewer.window import window_server
from jomed_app.ui.protocol import ReadingEngine
from jomed_app.ui.session import MAX_SESSIONS, CaseStore
from jomed_app.ui.templates import Panel, as_gradio_template, render

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "assets" / "examples"
NEVER_SERVED = (ROOT / "assets", ROOT / "index", ROOT / "jomed_app")
HEAVY: dict[str, Any] = {"concurrency_id": "infer", "concurrency_limit": 1}
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


def build_ui(
    engine: ReadingEngine,
    settings: AppConfig | None = None,
    *,
    store: CaseStore | None = None,
    examples: Path = EXAMPLES,
) -> gr.Blocks:
    """Return the page for an engine; launch it with `launch_settings()`.

    Args:
        engine: read-only, shared by all sessions.
        settings: upload limit, queue and time limit; the defaults when None.
        store: where open cases live; a new one by default.
        examples: folder of the simulated examples; may be missing.
    """
    settings = settings or AppConfig()
    case_seconds = 60 * settings.session_minutes
    cases = store if store is not None else CaseStore(lifetime_s=case_seconds)
    shown_examples = load_examples(examples)
    blocks: gr.Blocks = gr.Blocks(
        analytics_enabled=False, delete_cache=(60, case_seconds), title=text.TITLE, fill_width=True
    )
    with blocks:
        gr.HTML(render(Header(__version__, engine.info)), elem_id="jomed-header")
        toolbar = gr.HTML(
            {"busy": False, "case": False, "run": False},
            html_template=as_gradio_template(render(Toolbar.of(shown_examples))),
            js_on_load=_script("toolbar.js").replace("@limit_mb", str(settings.max_file_mb)),
            elem_id="jomed-toolbar",
        )
        status = gr.HTML(render(Status(text.STATUS_IDLE)), elem_id="jomed-status")
        banner = gr.HTML("", elem_id="jomed-banner")
        checks = gr.HTML("", elem_id="jomed-checks")
        with gr.Row(elem_id="jomed-reading"):
            viewer = gr.HTML(
                empty_value(),
                html_template=as_gradio_template(render(Viewer())),
                js_on_load=_script("viewer.js"),
                server_functions=[window_server(cases.by_token)],
                elem_id="jomed-viewer",
            )
            panel = gr.HTML(
                render(Diagnosis()),
                js_on_load=_script("diagnosis.js"),
                elem_id="jomed-panel",
            )
        held = gr.State("", time_to_live=case_seconds, delete_callback=_forget(cases))
        outputs = [toolbar, status, banner, checks, viewer, panel, held]
        _wire(engine, cases, settings, shown_examples, toolbar, viewer, panel, outputs)
        _add_api(engine)

        def on_unload(request: gr.Request) -> None:
            cases.end(_session(request))

        blocks.unload(on_unload)
    blocks.queue(max_size=settings.max_queue, default_concurrency_limit=2)
    return blocks


def _wire(
    engine: ReadingEngine,
    cases: CaseStore,
    settings: AppConfig,
    examples: Sequence[Example],
    toolbar: gr.HTML,
    viewer: gr.HTML,
    panel: gr.HTML,
    outputs: list[Any],
) -> None:
    """Connect the page's events to the handlers."""
    upload_folder = Path(toolbar.GRADIO_CACHE)

    def changes(screen: Screen, session: str) -> list[Any]:
        parts = (screen.status, screen.banner, screen.checks, screen.viewer, screen.diagnosis)
        state = {"busy": screen.is_busy, "case": screen.has_case, "run": screen.can_run}
        return [state, *map(_shown, parts), session]

    def on_upload(event: gr.EventData, request: gr.Request) -> list[Any]:
        session = _session(request)
        try:
            data = take_upload(Path(str(_sent(event).get("path", ""))), upload_folder)
        except JomedError as error:
            cases.purge(session)
            return changes(closed(failure(error)), session)
        return changes(case.open_case(engine, cases, session, data), session)

    def on_upload_failed(request: gr.Request) -> list[Any]:
        sentence = text.UPLOAD_FAILED.format(limit=f"{settings.max_file_mb} MB")
        session = _session(request)
        cases.purge(session)
        return changes(closed(sentence), session)

    def on_example(event: gr.EventData, request: gr.Request) -> list[Any]:
        session, number = _session(request), _sent(event).get("number")
        if not isinstance(number, int) or not 0 <= number < len(examples):
            return changes(closed(text.UNKNOWN_EXAMPLE), session)
        data = examples[number].path.read_bytes()
        screen = case.open_case(engine, cases, session, data, is_simulated=True)
        return changes(screen, session)

    def on_frame(event: gr.EventData, request: gr.Request) -> list[Any]:
        session, frame = _session(request), _sent(event).get("frame")
        number = frame if isinstance(frame, int) else 0
        return changes(case.choose_frame(engine, cases, session, number), session)

    def run(request: gr.Request) -> Iterator[list[Any]]:
        session, is_empty = _session(request), True
        for screen in case.run_case(engine, cases, session):
            is_empty = False
            yield changes(screen, session)
        if is_empty:  # a generator that yields nothing would blank the page, a refusal with it
            yield [gr.skip()] * len(outputs)

    def on_again(request: gr.Request) -> list[Any]:
        session = _session(request)
        return changes(case.start_again(engine, cases, session), session)

    def on_cancel(request: gr.Request) -> list[Any]:
        session = _session(request)
        return changes(case.stop_case(engine, cases, session), session)

    def on_purge(request: gr.Request) -> list[Any]:
        session = _session(request)
        return changes(case.purge_case(cases, session), session)

    def on_remove(event: gr.EventData, request: gr.Request) -> list[Any]:
        session, candidate = _session(request), str(_sent(event).get("id", ""))
        return changes(removal.remove_candidate(engine, cases, session, candidate), session)

    def on_restore(event: gr.EventData, request: gr.Request) -> list[Any]:
        session, candidate = _session(request), _sent(event).get("id")
        screen = removal.restore_candidate(engine, cases, session, candidate)
        return changes(screen, session)

    def on_restore_all(request: gr.Request) -> list[Any]:
        session = _session(request)
        return changes(removal.restore_candidate(engine, cases, session), session)

    def on_search(event: gr.EventData, request: gr.Request) -> list[Any]:
        session, retrieval = _session(request), str(_sent(event).get("retrieval", ""))
        return changes(search.choose_search(engine, cases, session, retrieval), session)

    runs = []
    for opening, open_handler in (
        (toolbar.case_file, on_upload),
        (toolbar.case_example, on_example),
        (viewer.case_frame, on_frame),
        (viewer.case_search, on_search),
        (toolbar.case_again, on_again),
    ):
        opened = opening(open_handler, None, outputs, **QUIET)
        runs.append(opened.then(run, None, outputs, **QUIET, **HEAVY))
    toolbar.case_refused(on_upload_failed, None, outputs, **QUIET)
    toolbar.case_cancel(on_cancel, None, outputs, cancels=runs, **QUIET)
    toolbar.case_purge(on_purge, None, outputs, cancels=runs, **QUIET)
    viewer.case_remove(on_remove, None, outputs, **QUIET)
    viewer.case_restore(on_restore, None, outputs, **QUIET)
    panel.case_restore_all(on_restore_all, None, outputs, **QUIET)


def _add_api(engine: ReadingEngine) -> None:
    """Add the documented endpoint `/diagnose`: a file in, the Result JSON out."""

    def diagnose(image: Any) -> dict[str, Any]:
        """Return the Result (schema jomed.result/2) of one image file."""
        try:
            if not isinstance(image, dict):
                raise ImageError(text.UPLOAD_GONE)
            data = take_upload(Path(str(image.get("path", ""))), upload_folder)
            return api.diagnose(engine, data)
        except Exception as error:
            raise gr.Error(failure(error), print_exception=False) from None

    image_file = gr.File(label="image", visible=False)
    upload_folder = Path(image_file.GRADIO_CACHE)
    result = gr.JSON(label="result", visible=False)
    # preprocess=False: gradio's own step would leave one empty temporary file per call.
    gr.Button(visible=False).click(
        diagnose,
        image_file,
        result,
        api_name="diagnose",
        api_visibility="public",
        preprocess=False,
        **HEAVY,
    )


def _shown(part: Panel | dict[str, Any] | None) -> Any:
    """Return a part of a screen as its component takes it; None leaves the component as it is."""
    if part is None:
        return gr.skip()
    return render(part) if isinstance(part, Panel) else part


def _script(name: str) -> str:
    """Return a script that ships inside the package."""
    return (files("jomed_app.ui") / "static" / name).read_text(encoding="utf-8")


def _sent(event: gr.EventData) -> dict[str, Any]:
    """Return what the page sent with an event; anything malformed counts as nothing."""
    return event._data if isinstance(event._data, dict) else {}


def _session(request: gr.Request) -> str:
    """Return the key of the browser session."""
    return str(request.session_hash or "")


def _forget(cases: CaseStore) -> Callable[[Any], None]:
    """Return the callback that purges a session when its state ends."""

    def forget(session: Any) -> None:
        if isinstance(session, str) and session:
            cases.purge(session)

    return forget


def launch_settings(settings: AppConfig | None = None) -> dict[str, Any]:
    """Return the launch arguments: nothing shared, nothing kept, nothing sent."""
    settings = settings or AppConfig()
    static = files("jomed_app.ui") / "static"
    return {
        "share": False,
        "show_error": False,
        "max_file_size": f"{settings.max_file_mb}mb",
        "allowed_paths": [],
        "blocked_paths": [str(path) for path in NEVER_SERVED],
        "run_history": False,
        "enable_monitoring": False,
        "footer_links": ["settings"],
        "ssr_mode": False,
        "state_session_capacity": MAX_SESSIONS,
        "mcp_server": False,
        "pwa": False,
        "theme": gr.themes.Base(font=_font("IBM Plex Sans"), font_mono=_font("IBM Plex Mono")),
        "css_paths": [str(static / "page.css"), str(static / "viewer.css")],
    }


def _font(name: str) -> list[Any]:
    """Return a font that ships with gradio; its semi-bold file lacks the Latin letters."""
    return [gr.themes.LocalFont(name, weights=(400, 700)), "system-ui", "sans-serif"]


def serve(engine: ReadingEngine, settings: AppConfig) -> None:
    """Serve the page until interrupted; uploads go to a private folder that is removed at the end.

    Args:
        engine: the loaded engine.
        settings: where to listen, and what a visitor may take.
    """
    with tempfile.TemporaryDirectory(prefix="jomed-uploads-", ignore_cleanup_errors=True) as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder  # read by every component when it is made
        blocks = build_ui(engine, settings)
        try:
            blocks.launch(
                server_name=settings.host, server_port=settings.port, **launch_settings(settings)
            )
        except KeyboardInterrupt:  # before Gradio waits for it
            blocks.close()
