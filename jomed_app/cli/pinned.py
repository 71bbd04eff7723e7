"""Bundles of large models on the command line: written, and checked with what they pin."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from jomed_app.errors import ConfigError

if TYPE_CHECKING:
    from jomed_app.progress import OnLoad, OnProgress
    from jomed_app.storage.bundle import Bundle

MIB = 2**20
LARGE = 2**30  # ours: less is loaded in a few seconds
NOT_MEASURED = "no calibration: its probabilities were never measured"


def export_pinned(config: Path, run: Path | None, out: Path, name: str, version: str) -> None:
    """Write a bundle of the models that a file names.

    Raises:
        ConfigError: if a server reads, whose weights nobody can pin.
        JomedError: as `make_pinned_bundle`.
    """
    from jomed_app.config.backbones import BackbonesConfig, load_backbones

    models = load_backbones(config)
    if not isinstance(models, BackbonesConfig):
        raise ConfigError(
            "a bundle requires a reader whose weights can be pinned, found a server; "
            f"give '{config.name}' itself where a bundle is asked for"
        )
    from jomed_app.training.export_pinned import make_pinned_bundle

    with shown_loading("bundle") as on_load:
        manifest = make_pinned_bundle(models, run, out, name=name, version=version, on_load=on_load)
    typer.echo(f"{manifest.name} {manifest.version}: {_calibration(manifest.profiles)}")


def verify_pinned(bundle: Bundle) -> None:
    """Check the models that a bundle stands on and say which they are.

    Raises:
        JomedError: if one is not here or is another.
    """
    from jomed_app.models.weights.pinned import check_pinned_models, pinned_config

    with shown_loading("check") as on_load:
        check_pinned_models(bundle, pinned_config(bundle), on_load)
    for part, pinned in bundle.manifest.pinned.items():
        size = f"{pinned.total_size / 2**30:.1f} GiB"
        typer.echo(f"{part} {pinned.reference}: {len(pinned.files)} files, {size}, as pinned")
    typer.echo(_calibration(bundle.manifest.profiles))


@contextmanager
def shown_loading(title: str, *, least: int = 0) -> Iterator[OnLoad]:
    """Show a bar in MiB for each step of checking or loading models.

    Args:
        title: what is being done, a few words.
        least: bytes of a step from which on a bar is shown.
    """
    from jomed_app.progress import show_progress

    with ExitStack() as shown:
        bars: list[OnProgress] = []

        def on_load(step: str, done: int, total: int) -> None:
            if not bars and total >= least:
                bars.append(shown.enter_context(show_progress(title)))
            for on_progress in bars:
                on_progress(math.ceil(done / MIB), math.ceil(total / MIB))

        yield on_load


def _calibration(profiles: object) -> str:
    return "calibration as the manifest says" if profiles else NOT_MEASURED
