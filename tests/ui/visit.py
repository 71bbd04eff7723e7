"""One visitor of the page in a browser, and everything the page did meanwhile."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from urllib.parse import urlparse

from playwright.sync_api import TimeoutError

from tests.ui.conftest import Site

PANE = '[data-pane="{}"] .stage'


class Visit:
    """One visitor: a browser context of its own, with everything the page asked for."""

    def __init__(self, browser, site: Site, *, width=1440, height=900, theme="dark", **more):
        self.context = browser.new_context(viewport={"width": width, "height": height}, **more)
        self.hosts: set[str] = set()
        self.faults: list[str] = []
        self.page = self._new_page()
        self.page.goto(f"{site.url}?__theme={theme}" if theme else site.url)
        self.page.wait_for_selector("#jomed-toolbar .tools")
        with suppress(TimeoutError):  # the example that the page opens on, where it does
            self.page.wait_for_selector("[data-copy=json]", timeout=8_000)

    def beside(self, url: str) -> Any:
        """Open another page in a tab of its own, and turn to it: requests of this one go on."""
        self.page = self._new_page()
        self.page.goto(url)
        return self.page

    def _new_page(self) -> Any:
        page = self.context.new_page()
        page.set_default_timeout(60_000)
        page.on("request", lambda request: self._note(request.url))
        page.on("websocket", lambda socket: self._note(socket.url))
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", self._hear)
        return page

    def _note(self, url: str) -> None:
        if not url.startswith(("data:", "blob:")):
            self.hosts.add(str(urlparse(url).hostname))

    def _hear(self, message) -> None:
        if message.type == "error":
            self.faults.append(message.text)

    def upload(self, name: str, data: bytes) -> None:
        self.page.set_input_files(
            "#jomed-toolbar input[type=file]",
            files=[{"name": name, "mimeType": "image/png", "buffer": data}],
        )

    def example(self, number: int) -> None:
        """Choose an example from the menu."""
        self.page.click(".examples > summary")
        self.page.click(f"[data-example='{number}']")

    def unfold(self, key: str) -> None:
        """Open what is folded away under a key, unless it is open."""
        summary = self.page.locator(f"details[data-key='{key}']:not([open]) > summary")
        for each in summary.all():
            each.click()

    def done(self) -> None:
        self.page.wait_for_selector("[data-copy=json]")
        self.page.wait_for_function(
            "document.querySelector('.status-text').textContent.startsWith('Done')"
        )

    def zoom(self, pane: str) -> float:
        return float(self.page.get_attribute(PANE.format(pane), "data-zoom") or "nan")

    def wheel(self, pane: str, by: int) -> None:
        stage = self.page.locator(PANE.format(pane))
        stage.scroll_into_view_if_needed()
        area = stage.bounding_box()
        self.page.mouse.move(area["x"] + area["width"] / 2, area["y"] + area["height"] / 2)
        self.page.mouse.wheel(0, by)
        self.page.wait_for_timeout(100)

    def overflow(self) -> int:
        return self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")

    def leave(self) -> None:
        self.context.close()
        assert self.hosts == {"127.0.0.1"}, "the page must ask nobody else"
        assert self.faults == [], f"the console must stay clean, found {self.faults}"
