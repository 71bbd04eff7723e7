"""Every route of the running app: which are open, which are closed, and why.

Gradio brings some ninety routes. What is not listed as open answers 404, so that a new release
opens nothing by itself; a test walks the running app and fails on a route that is not listed.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.routing import compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from jomed_app.server.refusal import refuse

# Path template -> what it is for.
OPEN: Mapping[str, str] = {
    "/": "the page",
    "/about": "what this is, the bundle's card, licences, privacy",
    "/collection": "which known cases are searched: counts, a map, commands",
    "/evidence": "measured figures, with intervals and commands",
    "/evidence/failures": "simulated cases that the model here answered wrongly; has them read",
    "/pages.css": "style of the pages beside the reading page, from the installation",
    "/pages.js": "their script, from the installation",
    "/healthz": "probe: does the server live",
    "/readyz": "probe: can it take a case",
    "/starting": "probe: how far the models are loaded, or that they are",
    "/version": "probe: which version it is",
    "/config": "the page's parts, for the Python client; values of nobody's session",
    "/config/": "the same",
    "/assets/{path:path}": "the page's scripts and styles, from the installation",
    "/static/{path:path}": "fonts and pictures of the page, from the installation",
    "/svelte/{path:path}": "scripts that a part of the page loads, from the installation",
    "/theme.css": "colours of the page",
    "/gradio_api/theme.css": "the same",
    "/favicon.ico": "the tab's picture",
    "/manifest.json": "the page's name; asked for by browsers",
    "/robots.txt": "for crawlers",
    "/gradio_api/info": "what /diagnose takes and returns, for clients",
    "/gradio_api/info/": "the same",
    "/gradio_api/upload": "takes a file into memory; answered by `Uploads`, never by Gradio",
    "/gradio_api/queue/join": "an event of the page, or a call of a client",
    "/gradio_api/queue/data": "what came of it; reached by the holder of the session's secret",
    "/gradio_api/call/{api_name}": "a call of a client without a library",
    "/gradio_api/call/{api_name}/": "the same",
    "/gradio_api/call/{api_name}/{event_id}": "what came of it; the id is 122 random bits",
    "/gradio_api/component_server": "the query under another window; asks for the case's token",
    "/gradio_api/component_server/": "the same",
    "/gradio_api/cancel": "stops an event of the page",
    "/gradio_api/reset": "does nothing; older clients ask after a stop",
    "/gradio_api/reset/": "the same",
    "/gradio_api/heartbeat/{session_hash}": "tells that a tab was closed, which ends its session",
    "/gradio_api/startup-events": "starts the queue, once; tells nothing",
}
# Path template -> why it is closed.
CLOSED: Mapping[str, str] = {
    "/gradio_api/deep_link": "writes a session's pictures and result to disk, for anyone to read",
    "/gradio_api/file={path_or_url:path}": "serves files of the machine, and fetches addresses",
    "/gradio_api/file/{path:path}": "the same",
    "/gradio_api/proxy={url_path:path}": "fetches from other machines",
    "/gradio_api/stream/{event_id}": "media streams; the page has none",
    "/gradio_api/stream/{event_id}/close": "the same",
    "/gradio_api/stream/{session_hash}/{run}/{component_id}/playlist.m3u8": "the same",
    "/gradio_api/stream/{session_hash}/{run}/{component_id}/{segment_id}.{ext}": "the same",
    "/gradio_api/stream/{session_hash}/{run}/{component_id}/playlist-file": "the same",
    "/gradio_api/process_recording": "writes a recording of the screen to disk",
    "/gradio_api/upload_progress": "tells anyone the name of a file that arrives",
    "/gradio_api/run/{api_name}": "a call that passes the queue by",
    "/gradio_api/run/{api_name}/": "the same",
    "/gradio_api/api/{api_name}": "the same",
    "/gradio_api/api/{api_name}/": "the same",
    "/gradio_api/call/v2/{api_name}": "a second form of the call; one is enough",
    "/gradio_api/call/v2/{api_name}/": "the same",
    "/gradio_api/call/v2/{api_name}/{event_id}": "the same",
    "/gradio_api/queue/status": "tells how busy other visitors keep the server",
    "/gradio_api/custom_component/{id}/{environment}/{type}/{file_name}": "the page has none",
    "/gradio_api/openapi.json": "a second form of /gradio_api/info",
    "/gradio_api/runs": "history of runs; nothing is kept",
    "/gradio_api/runs/": "the same",
    "/gradio_api/user": "Gradio's log-in, which is not used",
    "/gradio_api/user/": "the same",
    "/gradio_api/login_check": "the same",
    "/gradio_api/login_check/": "the same",
    "/gradio_api/token": "the same; would hand out the token of the log-in",
    "/gradio_api/token/": "the same",
    "/gradio_api/app_id": "for reloading while the page is developed",
    "/gradio_api/app_id/": "the same",
    "/gradio_api/dev/reload": "the same",
    "/gradio_api/vibe-edit": "edits the program's own text",
    "/gradio_api/vibe-edit/": "the same",
    "/gradio_api/undo-vibe-edit": "the same",
    "/gradio_api/undo-vibe-edit/": "the same",
    "/gradio_api/vibe-code": "the same",
    "/gradio_api/vibe-code/": "the same",
    "/gradio_api/vibe-starter-queries": "sends the program's text to another machine",
    "/gradio_api/vibe-starter-queries/": "the same",
    "/login": "Gradio's log-in, which is not used",
    "/login/": "the same",
    "/logout": "the same",
    "/openapi.json": "describes the whole of Gradio's own interface",
    "/monitoring": "tells what visitors did",
    "/monitoring/summary": "the same",
    "/monitoring/{key}": "the same",
    "/pwa_icon": "the page is not installed as an app",
    "/pwa_icon/{size}": "the same",
}


class OpenRoutes:
    """Answers 404 to what is not listed as open, or listed as closed too.

    Args:
        app: what answers the rest.
        opened: further path templates, of parts that only some servers have; these win.
    """

    def __init__(self, app: ASGIApp, opened: tuple[str, ...] = ()) -> None:
        self.app = app
        self._open = [compile_path(path)[0] for path in (*OPEN, *opened)]
        self._closed = [compile_path(path)[0] for path in CLOSED if path not in opened]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan" or self.is_open(scope["path"]):
            await self.app(scope, receive, send)
        else:
            await refuse(scope, receive, send, 404, "There is nothing at this address.")

    def is_open(self, path: str) -> bool:
        """Whether a path is handed on. Whole: Starlette's own match overlooks a final newline."""
        return any(each.fullmatch(path) for each in self._open) and not any(
            each.fullmatch(path) for each in self._closed
        )
