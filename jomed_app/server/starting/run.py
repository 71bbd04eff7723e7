"""Loading beside a page that tells how far it is; both end before the page itself is served."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeVar

import uvicorn

from jomed_app.config import AppConfig
from jomed_app.errors import CancelledError
from jomed_app.progress import OnLoad
from jomed_app.server.starting.page import starting_app
from jomed_app.server.starting.state import LoadState

T = TypeVar("T")
LAST_ANSWERS_S = 1  # ours: the page asks again by itself


class StartingServer(uvicorn.Server):
    """Serves until the loading has ended, or until a signal.

    Args:
        app: of `starting_app`.
        is_over: whether the loading has ended.
        stop: called by a signal.
        on_start: called once the server answers.
    """

    def __init__(
        self,
        app: Any,
        is_over: Callable[[], bool],
        stop: Callable[[], Any],
        on_start: Callable[[], Any],
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_level="error",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                lifespan="off",
                timeout_graceful_shutdown=LAST_ANSWERS_S,
            )
        )
        self._is_over = is_over
        self._stop = stop
        self._on_start = on_start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        self._on_start()

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: whether to end now."""
        self.should_exit = self.should_exit or self._is_over()
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End, and the loading with it; uvicorn would raise the signal anew afterwards."""
        self._stop()
        self.should_exit = True


def load_while_serving(
    load: Callable[[OnLoad], T],
    settings: AppConfig,
    listener: socket.socket,
    *,
    models: str,
    index: str,
    on_start: Callable[[], Any],
) -> T | None:
    """Load in a thread and serve the starting page meanwhile.

    The socket goes on listening in between: whoever asks then waits for the page.

    Args:
        load: loads; tells how far it is.
        settings: of the web app.
        listener: stays open.
        models: what is loaded, in words.
        index: name of the index.
        on_start: called once the server answers.

    Returns:
        What was loaded; None if a signal asked to end before.

    Raises:
        JomedError: whatever the loading raises.
    """
    state = LoadState()
    loaded: list[T] = []
    faults: list[BaseException] = []

    def work() -> None:
        try:
            loaded.append(load(state))
        except BaseException as error:  # raised again in the main thread
            faults.append(error)

    thread = threading.Thread(target=work, name="loading", daemon=True)
    app = starting_app(settings, state, models, index)
    server = StartingServer(app, lambda: not thread.is_alive(), state.stop, on_start)
    thread.start()
    try:
        server.run(sockets=[listener.dup()])
    finally:
        if thread.is_alive():  # a thread inside a matrix product when the interpreter ends aborts
            state.stop()
        thread.join()
    if state.is_stopped and (not faults or isinstance(faults[0], CancelledError)):
        return None
    if faults:
        raise faults[0]
    return loaded[0]
