"""Routes of the pages beside the reading page. They pass the same gate and carry its headers.

What a page says does not change while the server runs: it is made when it is first asked for.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from importlib.resources import files

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from jomed_app.server.pages.failures import FailureReading
from jomed_app.ui.panels.pages.about import AboutPage
from jomed_app.ui.panels.pages.collection import CollectionPage
from jomed_app.ui.panels.pages.evidence import EvidencePage
from jomed_app.ui.panels.pages.shelf import Shelf
from jomed_app.ui.templates import render

STYLES = ("page.css", "pages.css", "print.css")


class Pages:
    """The pages of one server.

    Args:
        shelf: what they speak of.
        failures: reads simulated cases when somebody asks for it.
    """

    def __init__(self, shelf: Shelf, failures: FailureReading) -> None:
        self.shelf = shelf
        self.failures = failures

    @cached_property
    def about(self) -> str:
        """The page, whole."""
        return render(AboutPage(self.shelf))

    @cached_property
    def collection(self) -> str:
        """The page, whole; the map and the near-duplicates are worked out here."""
        return render(CollectionPage.of(self.shelf))

    @cached_property
    def evidence(self) -> str:
        """The page, without the failures: those are asked for by its script."""
        return render(EvidencePage(self.shelf))

    def routes(self) -> list[Route]:
        """Return the routes; each must be listed in `privacy.routes.OPEN`."""

        async def about(request: Request) -> Response:
            return HTMLResponse(await run_in_threadpool(lambda: self.about))

        async def collection(request: Request) -> Response:
            return HTMLResponse(await run_in_threadpool(lambda: self.collection))

        async def evidence(request: Request) -> Response:
            return HTMLResponse(await run_in_threadpool(lambda: self.evidence))

        async def failures(request: Request) -> Response:
            if request.method == "POST":
                self.failures.start()
            return HTMLResponse(render(self.failures.state))

        async def style(request: Request) -> Response:
            return Response(_static(*STYLES), media_type="text/css")

        async def script(request: Request) -> Response:
            return Response(_static("pages.js"), media_type="text/javascript")

        return [
            Route("/about", about),
            Route("/collection", collection),
            Route("/evidence", evidence),
            Route("/evidence/failures", failures, methods=["GET", "POST"]),
            Route("/pages.css", style),
            Route("/pages.js", script),
        ]


@lru_cache
def _static(*names: str) -> str:
    """Texts that ship inside the package, joined."""
    folder = files("jomed_app.ui") / "static"
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in names)
