"""Serving the page: a flag wins over what a Space sets, that over [app], that over the default.

The page is there at once, and tells how far the models are loaded until they are.
"""

from __future__ import annotations

import os
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from jomed_app.cli.zero_gpu import LentEngine, is_zero_gpu, report_start, spaces
from jomed_app.config import AppConfig, load_config
from jomed_app.config.backbones import load_backbones
from jomed_app.config.remote import RemoteReaderConfig
from jomed_app.errors import JomedError
from jomed_app.feedback.open import open_feedback
from jomed_app.storage.bundle import open_bundle
from jomed_app.storage.signature import check_signature

if TYPE_CHECKING:
    from jomed_app.inference.engine import Engine
    from jomed_app.progress import OnLoad
    from jomed_app.ui.panels.pages.shelf import Shelf

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
    """Serve a page that tells how far the engine is loaded, then its page, until interrupted.

    Args:
        bundle: folder.
        index: folder.
        settings: how to serve.
        precision: how the reader's weights are held; see `load_bundle`.

    Raises:
        ConfigError: if the address is not free, or the log-in is set up wrongly, before anything
            is loaded.
        JomedError: if the bundle or the index needs mending.
    """
    from jomed_app.server.run import listen
    from jomed_app.server.shell import gate_of_environment

    gate = gate_of_environment()  # before a worker process could inherit what it takes out
    spaces()  # where it is installed, it must be there before torch
    with listen(settings.host, settings.port) as listener:
        if settings.bundle_public_key:
            check_signature(bundle, Path(settings.bundle_public_key))
        feedback = open_feedback(settings.feedback)
        from jomed_app.imaging.decoder import decoder_pool
        from jomed_app.server.starting.run import load_while_serving

        decoder_pool(settings).warm()
        name = f"[{settings.host}]" if ":" in settings.host else settings.host
        address = f"The page is at http://{name}:{settings.port}"
        engine = load_while_serving(
            partial(_load, bundle, index, precision, settings.operating_point),
            settings,
            listener,
            models=models_in_words(bundle, precision),
            index=index.name,
            on_start=lambda: typer.echo(address),
        )
        if engine is None:
            return
        from jomed_app.server.run import serve

        # Encode the candidates while the page loads; a case that comes first encodes its own.
        stop, is_warm = threading.Event(), threading.Event()

        def warm() -> None:
            if not is_zero_gpu():  # there is no GPU yet, and what a case holds goes with it
                engine.warm(cancel=stop.is_set)
            is_warm.set()

        warming = threading.Thread(target=warm, daemon=True)
        warming.start()
        try:
            lent = LentEngine(engine, settings.gpu_seconds)
            report_start()
            shelf = _shelf(engine, bundle, settings, has_login=bool(gate.layers()))
            serve(lent, settings, listener, is_warm.is_set, gate, shelf, feedback)
        finally:  # a thread inside a matrix product when the interpreter ends aborts the process
            stop.set()
            warming.join()


def _load(bundle: Path, index: Path, precision: str, point: int, on_load: OnLoad) -> Engine:
    """Import and load in the thread that loads: the page is there before torch is."""
    from jomed_app.inference.load import load_engine

    engine = load_engine(bundle, index, precision=precision, on_load=on_load)
    if point:
        engine.info = engine.info.at_site(point)
    return engine


def _shelf(engine: Engine, bundle: Path, settings: AppConfig, *, has_login: bool) -> Shelf:
    """Return what the pages beside the reading page speak of."""
    from jomed_app.ui.panels.pages.shelf import Shelf, read_card, read_kept, read_notice

    manifest, card = read_card(bundle)
    notice, licence = read_notice()
    return Shelf(
        info=engine.info,
        settings=settings,
        index=engine.index,
        profiles={"joint": engine.profile, "standard": engine.standard or engine.profile},
        bundle=manifest,
        card=card,
        notice=notice,
        licence=licence,
        evidence=read_kept(),
        has_login=has_login,
    )


def models_in_words(bundle: Path, precision: str) -> str:
    """Say what is going to be loaded, before it is: bundle, reader, commit, precision if chosen.

    Args:
        bundle: folder, or TOML file that names models. What is wrong with it, loading will tell.
        precision: as it was asked for.
    """
    held = "" if precision == "auto" else f", {precision}"
    try:
        if bundle.suffix != ".toml":
            manifest = open_bundle(bundle, verify=False).manifest
            named = f"bundle {manifest.name} {manifest.version}"
            reader = manifest.pinned.get("reader")
            return f"{named}{f', reader {reader.reference}' if reader else ''}{held}"
        reader_config = load_backbones(bundle).reader
    except JomedError:
        return f"bundle {bundle.name}{held}"
    name = (
        Path(reader_config.model).name
        if Path(reader_config.model).is_dir()
        else reader_config.model
    )
    if isinstance(reader_config, RemoteReaderConfig):
        return f"reader {name}, on a server"
    if precision == "auto" and reader_config.precision != "auto":
        held = f", {reader_config.precision}"
    commit = f" at {reader_config.revision[:8]}" if reader_config.revision else ""
    return f"reader {name}{commit}{held}"
