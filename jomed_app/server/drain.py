"""Ending: no new case is taken, those that run are finished, within a limit of seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from jomed_app.server.refusal import refuse

CLOSING = "The server is being stopped and takes no new case; try again in a minute."
RETRY_S = "60"
# What ends with its visitor's tab, not with a case.
ENDLESS = ("/gradio_api/heartbeat/",)
# What brings a new case, or a new visitor.
OPENINGS = ("/gradio_api/upload", "/gradio_api/call/", "/gradio_api/api/", "/gradio_api/run/")
SETTLED_S = 0.5  # ours: between two requests of one case pass milliseconds


class Drain:
    """Whether the server is ending, and whether it may end now. Safe to use from any thread.

    Args:
        limit_s: seconds that running cases are given.
        clock: seconds, ascending.
        on_begin: called once, when the end is asked for.
    """

    def __init__(
        self,
        limit_s: float,
        clock: Callable[[], float] = time.monotonic,
        on_begin: Callable[[], Any] = lambda: None,
    ) -> None:
        self._limit_s = limit_s
        self._on_begin = on_begin
        self._clock = clock
        self._lock = threading.Lock()
        self._num_running = 0
        self._began: float | None = None
        self._idle_since = clock()

    @property
    def is_draining(self) -> bool:
        """Whether the end was asked for."""
        return self._began is not None

    def begin(self) -> None:
        """Take no new case from now on."""
        if self._began is None:
            self._began = self._clock()
            self._on_begin()

    def is_over(self) -> bool:
        """Whether the end was asked for, and either nothing runs any more or time is up."""
        if self._began is None:
            return False
        now = self._clock()
        is_idle = self._num_running == 0 and now - self._idle_since >= SETTLED_S
        return is_idle or now - self._began >= self._limit_s

    def enter(self) -> None:
        """Count a request that runs."""
        with self._lock:
            self._num_running += 1

    def leave(self) -> None:
        """Count a request that ended."""
        with self._lock:
            self._num_running -= 1
            self._idle_since = self._clock()


class Draining:
    """Counts what runs, and refuses what is new once the end was asked for.

    Args:
        app: what answers.
        drain: shared with the server.
    """

    def __init__(self, app: ASGIApp, drain: Drain) -> None:
        self.app = app
        self.drain = drain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"].startswith(ENDLESS):
            await self.app(scope, receive, send)
            return
        is_new = scope["path"] == "/" or (
            scope["method"] == "POST" and scope["path"].startswith(OPENINGS)
        )
        if self.drain.is_draining and is_new:
            await refuse(scope, receive, send, 503, CLOSING, {"Retry-After": RETRY_S})
            return
        self.drain.enter()
        try:
            await self.app(scope, receive, send)
        finally:
            self.drain.leave()
