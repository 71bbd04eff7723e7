"""The small app that answers while the models are being loaded: a page with a bar, and refusals.

It answers anyone, as the probes do: it tells of the program, never of a case, and takes no file.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from jomed_app.config import AppConfig
from jomed_app.server.health import Health
from jomed_app.server.refusal import refuse
from jomed_app.server.shell import outer_layers
from jomed_app.server.starting.state import LoadState
from jomed_app.ui import text
from jomed_app.ui.panels.top.starting import Starting
from jomed_app.ui.templates import render

RETRY_S = "10"
STYLES = ("page.css", "starting.css")


class NotYet:
    """Refuses whatever needs the model.

    Args:
        state: how far the loading is.
    """

    def __init__(self, state: LoadState) -> None:
        self.state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request with a sentence."""
        if scope["type"] == "lifespan":
            return
        sentence = text.NOT_LOADED.format(words=self.state.now().words)
        await refuse(scope, receive, send, 503, sentence, {"Retry-After": RETRY_S})


def starting_app(settings: AppConfig, state: LoadState, models: str, index: str) -> Starlette:
    """Return the app.

    Args:
        settings: of the web app; names, frames and rates are kept as for the page itself.
        state: how far the loading is.
        models: what is being loaded, in words.
        index: name of the index.
    """

    async def page(request: Request) -> Response:
        return HTMLResponse(render(Starting(models, state.now())))

    async def style(request: Request) -> Response:
        return Response(_static(*STYLES), media_type="text/css")

    async def script(request: Request) -> Response:
        return Response(_static("starting.js"), media_type="text/javascript")

    health = Health(
        bundle=models, index=index, is_ready=lambda: False, loading=lambda: state.now().to_dict()
    )
    app = Starlette(
        routes=[
            *health.routes(),
            Route("/", page),
            Route("/starting.css", style),
            Route("/starting.js", script),
        ],
        middleware=outer_layers(settings),
    )
    app.router.default = NotYet(state)
    return app


@lru_cache
def _static(*names: str) -> str:
    """Texts that ship inside the package, joined."""
    folder = files("jomed_app.ui") / "static"
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in names)
