"""The only gradio door: components, events and how it is mounted; every decision is in handlers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from jomed_app import __version__
from jomed_app.config import AppConfig
from jomed_app.errors import ConfigError, ImageError, JomedError, SessionError
from jomed_app.imaging.decoder import read_untrusted
from jomed_app.ui import text
from jomed_app.ui.examples import Example, load_examples
from jomed_app.ui.gradio_memory import forget_session, keep_paths, make_forgetful
from jomed_app.ui.handlers import api, case, removal, search
from jomed_app.ui.handlers.decoding import DECODED_AT_ONCE, Decoding
from jomed_app.ui.handlers.screen import Screen, closed, failure
from jomed_app.ui.handlers.upload import refused_sentence, take_upload
from jomed_app.ui.line import Line
from jomed_app.ui.panels.diagnosis.diagnosis import Diagnosis
from jomed_app.ui.panels.top.header import Header
from jomed_app.ui.panels.top.status import Status
from jomed_app.ui.panels.top.toolbar import Toolbar
from jomed_app.ui.panels.viewer.region import region_wish
from jomed_app.ui.panels.viewer.viewer import Viewer, empty_value
from jomed_app.ui.panels.viewer.window import window_server
from jomed_app.ui.protocol import ReadingEngine
from jomed_app.ui.session import MAX_SESSIONS, SECRET_COOKIE, CaseStore
from jomed_app.ui.templates import Panel, as_gradio_template, render
from jomed_app.ui.uploads import UploadStore

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "assets" / "examples"
NEVER_SERVED = (ROOT / "assets", ROOT / "index", ROOT / "jomed_app")
IN_LINE: dict[str, Any] = {"concurrency_limit": None}  # these wait in a line of ours
OPENING: dict[str, Any] = {"concurrency_limit": DECODED_AT_ONCE}
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


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
    examples: Path = EXAMPLES,
) -> gr.Blocks:
    """Return the page for an engine; `mount_page` puts it into an app.

    Args:
        engine: read-only, shared by all sessions.
        settings: upload limit, queue and time limit; the defaults when None.
        store: where open cases live; a new one by default.
        uploads: where files wait for their case; nothing else is taken, so without it none is.
        line: in which cases wait for the model; a new one by default.
        examples: folder of the simulated examples; may be missing.
    """
    settings = settings or AppConfig()
    case_seconds = 60 * settings.session_minutes
    cases = store if store is not None else CaseStore(lifetime_s=case_seconds)
    files_sent = uploads if uploads is not None else UploadStore(Path(get_upload_folder()))
    line = line if line is not None else Line(settings.max_queue)
    shown_examples = load_examples(examples)
    blocks: gr.Blocks = _Page(
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
        _wire(
            engine,
            line,
            cases,
            files_sent,
            settings,
            shown_examples,
            toolbar,
            viewer,
            panel,
            outputs,
        )
        _add_api(engine, line, files_sent)

        def on_unload(request: gr.Request) -> None:
            cases.end(_session(request))
            forget_session(blocks, _session(request))

        blocks.unload(on_unload)
    blocks.queue(max_size=settings.max_queue, default_concurrency_limit=2)
    return blocks


def _wire(
    engine: ReadingEngine,
    line: Line,
    cases: CaseStore,
    uploads: UploadStore,
    settings: AppConfig,
    examples: Sequence[Example],
    toolbar: gr.HTML,
    viewer: gr.HTML,
    panel: gr.HTML,
    outputs: list[Any],
) -> None:
    """Connect the page's events to the handlers."""

    def changes(screen: Screen, session: str) -> list[Any]:
        parts = (screen.status, screen.banner, screen.checks, screen.viewer, screen.diagnosis)
        state = {"busy": screen.is_busy, "case": screen.has_case, "run": screen.can_run}
        return [state, *map(_shown, parts), session]

    def on_upload(event: gr.EventData, request: gr.Request) -> list[Any]:
        session = _session(request)
        try:
            data, sender = take_upload(uploads, _sent(event).get("path"))
            sent = [data]
            del data
            _require_secret(request)
        except JomedError as error:
            cases.purge(session)
            return changes(closed(failure(error)), session)
        # Handed over: of up to 64 MiB nothing is held here while the page is drawn.
        screen = case.open_case(engine, cases, session, sent.pop(), sender=sender)
        return changes(screen, session)

    def on_upload_failed(event: gr.EventData, request: gr.Request) -> list[Any]:
        session, said = _session(request), _sent(event).get("said")
        cases.purge(session)
        return changes(closed(refused_sentence(said, settings.max_file_mb)), session)

    def on_example(event: gr.EventData, request: gr.Request) -> list[Any]:
        session, number = _session(request), _sent(event).get("number")
        if not isinstance(number, int) or not 0 <= number < len(examples):
            return changes(closed(text.UNKNOWN_EXAMPLE), session)
        try:
            _require_secret(request)
        except JomedError as error:
            return changes(closed(failure(error)), session)
        data = examples[number].path.read_bytes()
        screen = case.open_case(engine, cases, session, data, is_simulated=True)
        return changes(screen, session)

    def on_frame(event: gr.EventData, request: gr.Request) -> list[Any]:
        session, frame = _session(request), _sent(event).get("frame")
        number = frame if isinstance(frame, int) else 0
        return changes(case.choose_frame(engine, cases, session, number), session)

    def on_region(event: gr.EventData, request: gr.Request) -> list[Any]:
        session, wish = _session(request), region_wish(_sent(event).get("region"))
        return changes(case.choose_region(engine, cases, session, wish), session)

    async def run(request: gr.Request) -> AsyncIterator[list[Any]]:
        session = _session(request)
        if not case.awaits_model(cases, session):
            # a generator that yields nothing would blank the page, a refusal with it
            yield [gr.skip()] * len(outputs)
            return
        try:
            turn = line.join()
        except JomedError as error:
            yield changes(case.turned_away(error), session)
            return
        with turn:
            async for place, seconds in turn.places():
                if not case.awaits_model(cases, session):
                    return  # purged meanwhile
                yield changes(case.waiting(place, seconds), session)
            async for screen in turn.steps(case.run_case(engine, cases, session)):
                yield changes(screen, session)

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

    def on_go_on(request: gr.Request) -> list[Any]:
        session = _session(request)
        return changes(case.go_on(engine, cases, session), session)

    def on_inverted(request: gr.Request) -> list[Any]:
        session = _session(request)
        return changes(case.read_inverted(engine, cases, session), session)

    runs = []
    for opening, open_handler in (
        (toolbar.case_file, on_upload),
        (toolbar.case_example, on_example),
        (viewer.case_frame, on_frame),
        (viewer.case_region, on_region),
        (viewer.case_search, on_search),
        (toolbar.case_again, on_again),
        (panel.case_go_on, on_go_on),
        (panel.case_inverted, on_inverted),
    ):
        opened = opening(open_handler, None, outputs, **QUIET, **OPENING)
        runs.append(opened.then(run, None, outputs, **QUIET, **IN_LINE))
    toolbar.case_refused(on_upload_failed, None, outputs, **QUIET)
    toolbar.case_cancel(on_cancel, None, outputs, cancels=runs, **QUIET)
    toolbar.case_purge(on_purge, None, outputs, cancels=runs, **QUIET)
    viewer.case_remove(on_remove, None, outputs, **QUIET)
    viewer.case_restore(on_restore, None, outputs, **QUIET)
    panel.case_restore_all(on_restore_all, None, outputs, **QUIET)


def _add_api(engine: ReadingEngine, line: Line, uploads: UploadStore) -> None:
    """Add the documented endpoint `/diagnose`: a file in, the Result JSON out."""
    decoding = Decoding()

    async def diagnose(
        image: Any, invert: Any = False, anyway: Any = False, region: Any = None
    ) -> dict[str, Any]:
        """Return the Result (schema jomed.result/4) of one image file."""
        try:
            if not isinstance(image, dict):
                raise ImageError(text.UPLOAD_GONE)
            data, sender = take_upload(uploads, image.get("path"))
            part = api.region_asked(region)
            read = partial(read_untrusted, data, region=part, sender=sender)
            record = await decoding.run(sender, read)
            del read, data  # of up to 64 MiB; the case may wait for its turn
            wishes = (invert is True, anyway is True)
            with line.join(was_accepted=True) as turn:
                async for _ in turn.places():
                    pass
                return await turn.call(api.diagnose, engine, record, *wishes)
        except Exception as error:
            raise gr.Error(failure(error), print_exception=False) from None

    image_file = gr.File(label="image", visible=False)
    keep_paths(image_file)
    ways: list[Any] = [gr.Checkbox(label=each, visible=False) for each in ("invert", "anyway")]
    ways.append(gr.Textbox("found", label="region", visible=False))
    result = gr.JSON(label="result", visible=False)
    # preprocess=False: gradio's own step would leave one empty temporary file per call.
    gr.Button(visible=False).click(
        diagnose,
        [image_file, *ways],
        result,
        api_name="diagnose",
        api_visibility="public",
        preprocess=False,
        **IN_LINE,
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


def _require_secret(request: gr.Request) -> None:
    """Refuse to open a case for a browser that keeps no cookie: its id alone would open it.

    Raises:
        SessionError: if the request carries no secret.
    """
    if not request.cookies.get(SECRET_COOKIE):
        raise SessionError(text.NO_SECRET)


def _forget(cases: CaseStore) -> Callable[[Any], None]:
    """Return the callback that purges a session when its state ends."""

    def forget(session: Any) -> None:
        if isinstance(session, str) and session:
            cases.purge(session)

    return forget


def mount_page(
    shell: Any, blocks: gr.Blocks, settings: AppConfig | None = None
) -> Callable[[], None]:
    """Put the page into an app at its root: nothing shared, nothing kept, nothing sent.

    Args:
        shell: a FastAPI app.
        blocks: from `build_ui`.
        settings: largest upload; the defaults when None.

    Returns:
        Ends the streams that would last as long as their visitors' tabs.
    """
    settings = settings or AppConfig()
    static = files("jomed_app.ui") / "static"
    blocks.state_session_capacity = MAX_SESSIONS
    blocks.has_launched = True  # or Gradio takes a file of any path as uploaded
    gr.mount_gradio_app(
        shell,
        blocks,
        path="/",
        show_error=False,
        max_file_size=f"{settings.max_file_mb}mb",
        allowed_paths=[],
        blocked_paths=[str(path) for path in NEVER_SERVED],
        run_history=False,
        enable_monitoring=False,
        footer_links=[],  # settings: a drawer that records the screen
        ssr_mode=False,
        mcp_server=False,
        pwa=False,
        theme=gr.themes.Base(font=_font("IBM Plex Sans"), font_mono=_font("IBM Plex Mono")),
        css_paths=[str(static / "page.css"), str(static / "viewer.css")],
    )
    page = shell.routes[-1].app
    make_forgetful(page, blocks)

    def end_streams() -> None:
        page.stop_event.set()
        blocks.is_running = False

    return end_streams


def attach_login(shell: Any) -> None:
    """Add Gradio's log-in with a Hugging Face account: its routes, and the signed cookie.

    Raises:
        ConfigError: if the library that speaks OpenID is not installed.
    """
    from gradio.oauth import attach_oauth

    try:
        attach_oauth(shell)
    except ImportError as error:
        raise ConfigError(
            "the log-in with Hugging Face requires authlib and itsdangerous, found one missing; "
            'install them: pip install "gradio[oauth]"'
        ) from error


def _font(name: str) -> list[Any]:
    """Return a font that ships with gradio; its semi-bold file lacks the Latin letters."""
    return [gr.themes.LocalFont(name, weights=(400, 700)), "system-ui", "sans-serif"]
