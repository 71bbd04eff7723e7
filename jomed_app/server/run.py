"""Running the server: one socket, one event loop, and an end that loses no running case."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI

from jomed_app.config import AppConfig
from jomed_app.errors import ConfigError
from jomed_app.feedback.store import FeedbackStore
from jomed_app.imaging.decoder import DecodeLimits, decoder_pool
from jomed_app.server.drain import Drain
from jomed_app.server.health import Health, decoder_faults
from jomed_app.server.metrics import CountedEngine, Metrics
from jomed_app.server.pages.failures import FailureReading
from jomed_app.server.pages.routes import Pages
from jomed_app.server.shell import Gate, build_shell
from jomed_app.server.upload_folder import upload_folder
from jomed_app.ui.line import Line
from jomed_app.ui.panels.pages.shelf import Shelf
from jomed_app.ui.protocol import ReadingEngine
from jomed_app.ui.session import CaseStore
from jomed_app.ui.uploads import UploadStore

SWEEP_TICKS = 100  # ours: ten seconds; a case lives for minutes
LAST_STREAMS_S = 2  # ours: what still streams once no case runs is cut off after this


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens, so that nobody else can take the address meanwhile.

    Raises:
        ConfigError: if another process listens there, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        name = host.strip("[]").encode("idna").decode()
        return socket.create_server((name, port), family=family)
    except (OSError, UnicodeError) as error:
        raise ConfigError(
            f"the app requires an address that is free and of this machine, found {host}:{port} "
            "taken or foreign; choose another with --host and --port"
        ) from error


class Server(uvicorn.Server):
    """Serves until a signal, then drains; a second signal ends at once.

    Args:
        shell: the app.
        drain: begun by the first signal.
        end_streams: called when no case runs any more: ends what would stream for ever.
        sweep: called every few seconds: lets go of cases and files whose time is over.
        on_start: called once the server answers.
    """

    def __init__(
        self,
        shell: FastAPI,
        drain: Drain,
        *,
        end_streams: Callable[[], Any],
        sweep: Callable[[], Any],
        on_start: Callable[[], Any] = lambda: None,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                shell,
                log_level="error",
                access_log=False,  # it would name visitors and sessions
                server_header=False,
                proxy_headers=False,  # `Visitor` reads them
                timeout_graceful_shutdown=LAST_STREAMS_S,
            )
        )
        self._drain = drain
        self._end_streams = end_streams
        self._sweep = sweep
        self._on_start = on_start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        self._on_start()

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: whether to end now; sometimes, let go of what nobody asked for."""
        if counter % SWEEP_TICKS == 0:
            self._sweep()
        if not self.should_exit and self._drain.is_over():
            self._end_streams()
            self.should_exit = True
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin the end; uvicorn would raise the signal anew afterwards, and leave with it."""
        if self._drain.is_draining:
            self._end_streams()
            self.should_exit = self.force_exit = True
        self._drain.begin()


def page_server(
    blocks: Any,
    settings: AppConfig,
    health: Health,
    drain: Drain,
    cases: CaseStore,
    uploads: UploadStore,
    on_start: Callable[[], Any] = lambda: None,
    gate: Gate | None = None,
    metrics: Metrics | None = None,
    pages: Pages | None = None,
) -> Server:
    """Return the server of a page.

    Args:
        blocks: from `ui.layout.build_ui`.
        settings: of the web app.
        health: what the probes answer from.
        drain: begun when the server is to end.
        cases: that the page has open.
        uploads: that wait for their case.
        on_start: called once the server answers.
        gate: who is let in; everyone when None.
        metrics: what a monitor may ask; nothing is counted when None.
        pages: beside the reading page; there are none when None.

    Raises:
        ConfigError: if the gate needs a library that is not installed.
    """
    from jomed_app.ui.layout import attach_login, mount_page

    def sweep() -> None:
        cases.sweep()
        uploads.sweep()

    shell = build_shell(settings, health, drain, uploads, gate, metrics, pages)
    if gate is not None and gate.users is not None:
        attach_login(shell)
    end_streams = mount_page(shell, blocks, settings)
    return Server(shell, drain, end_streams=end_streams, sweep=sweep, on_start=on_start)


def serve(
    engine: ReadingEngine,
    settings: AppConfig,
    listener: socket.socket,
    is_warm: Callable[[], bool],
    gate: Gate | None = None,
    shelf: Shelf | None = None,
    feedback: FeedbackStore | None = None,
) -> None:
    """Serve the page until a signal, then finish what runs and remove the upload folder.

    Args:
        engine: the loaded engine.
        settings: of the web app.
        listener: from `listen`.
        is_warm: whether the engine reads at full speed.
        gate: who is let in; everyone when None.
        shelf: what the pages beside the reading page speak of; there are none when None.
        feedback: where judgements of answers are kept; None asks for none.
    """
    line = Line(settings.max_queue)
    drain = Drain(settings.drain_seconds, on_begin=line.close)
    limits = DecodeLimits(settings.decode_seconds, settings.decode_memory_mb)
    health = Health(
        bundle=engine.info.bundle,
        index=engine.info.index,
        is_ready=lambda: is_warm() and not drain.is_draining,
        faults=lambda: [
            *decoder_faults(decoder_pool(settings).health(), limits.clock_s),
            *line.faults(settings.step_seconds),
        ],
    )
    with upload_folder() as folder:
        os.environ["GRADIO_TEMP_DIR"] = str(folder)  # read by every component when it is made
        from jomed_app.ui.layout import build_ui

        seconds = 60.0 * settings.session_minutes
        cases = CaseStore(lifetime_s=seconds)
        uploads = UploadStore(
            folder,
            max_bytes=settings.total_upload_mb * 2**20,
            max_visitor_bytes=settings.visitor_upload_mb * 2**20,
            lifetime_s=seconds,
        )
        metrics = Metrics() if settings.metrics else None
        if metrics is not None:
            engine = CountedEngine(engine, metrics)
            metrics.watch("line", "Cases that are read or wait for the model", lambda: len(line))
            metrics.watch("open_cases", "Cases that are held in memory", lambda: len(cases))
            metrics.watch("uploads", "Files that wait for their case", lambda: len(uploads))
            metrics.watch_decoders(lambda: decoder_pool(settings).health())
        if metrics is not None and feedback is not None:
            metrics.watch_judgements()
            feedback.on_new = metrics.count_judgement
        blocks = build_ui(
            engine, settings, store=cases, uploads=uploads, line=line, feedback=feedback
        )
        pages = None if shelf is None else Pages(shelf, FailureReading(engine, line))
        server = page_server(
            blocks,
            settings,
            health,
            drain,
            cases,
            uploads,
            gate=gate,
            metrics=metrics,
            pages=pages,
        )
        server.run(sockets=[listener])
