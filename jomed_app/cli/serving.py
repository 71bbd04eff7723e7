"""Serving the page: a flag wins over what a Space sets, that over [app], that over the default."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

from jomed_app.config import AppConfig, load_config
from jomed_app.errors import ConfigError

HOST_VARIABLE = "GRADIO_SERVER_NAME"  # a Space sets both
PORT_VARIABLE = "GRADIO_SERVER_PORT"


def app_settings(config: Path | None, host: str | None, port: int | None) -> AppConfig:
    """Return how to serve.

    Args:
        config: TOML file whose [app] is read; None takes the defaults.
        host: flag; None when it was not given.
        port: flag; None when it was not given.

    Raises:
        ConfigError: if the file or a variable of the environment needs mending.
    """
    settings = load_config(config).app if config is not None else AppConfig()
    changes: dict[str, object] = {}
    if host or (host := os.environ.get(HOST_VARIABLE)):
        changes["host"] = host
    if port is not None:
        changes["port"] = port
    elif text := os.environ.get(PORT_VARIABLE):
        changes["port"] = int(text) if text.isdecimal() else text
    return settings.replaced(**changes)


def serve_app(bundle: Path, index: Path, settings: AppConfig, precision: str = "auto") -> None:
    """Load the engine and serve its page until interrupted.

    Args:
        bundle: folder.
        index: folder.
        settings: how to serve.
        precision: how the reader's weights are held; see `load_bundle`.

    Raises:
        ConfigError: if the address is not free, before anything is loaded.
        JomedError: if the bundle or the index needs mending.
    """
    _check_address(settings.host, settings.port)
    from jomed_app.inference.load import load_engine
    from jomed_app.ui.layout import serve

    engine = load_engine(bundle, index, precision=precision)
    # Encode the candidates while the page loads; a case that comes first encodes its own.
    stop = threading.Event()
    warming = threading.Thread(target=engine.warm, kwargs={"cancel": stop.is_set}, daemon=True)
    warming.start()
    try:
        serve(engine, settings)
    finally:  # a thread inside a matrix product when the interpreter ends aborts the process
        stop.set()
        warming.join()


def _check_address(host: str, port: int) -> None:
    """Refuse an address that another process listens on, or that is not this machine's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        raise ConfigError(
            f"the app requires an address that is free and of this machine, found {host}:{port} "
            "taken or foreign; choose another with --host and --port"
        ) from error
