"""A trained run as experiments open it: its folders, and what was read of its folds."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.kept import Measured
from jomed_app.config.load import read_stored_config
from jomed_app.evaluation.folds.readings import (
    PLAIN,
    QUICK,
    FoldReadings,
    ReadingKind,
    read_folds,
)
from jomed_app.training.run.loop import no_progress
from jomed_app.training.run.workspace import Workspace


def open_run(run: Path, data: Path | None = None) -> Workspace:
    """Open a run's folder with the configuration that it was trained with.

    Args:
        run: its folder.
        data: root of the public sets, where it is no longer the one that was trained from.
    """
    config = read_stored_config(run / "config.json")
    if data is not None:
        config = config.replaced(train_reader=config.train_reader.replaced(data=str(data)))
    return Workspace(run, config)


def open_named_run(description: str | None, arguments: Sequence[str] | None) -> Workspace:
    """Open the run that a command line names: `RUN [--data DIR]`.

    Args:
        description: of the command, for its help.
        arguments: without the command; None takes the process's own.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", type=Path, help="root of the public sets, instead of the run's")
    chosen = parser.parse_args(arguments)
    return open_run(chosen.run, chosen.data)


def measured_on(*runs: Path) -> Measured:
    """What a kept report says of figures that were measured on one run or several."""
    names = [f"`{run.resolve().name}`" for run in runs]
    return Measured(bundle=f"run{'s' if len(names) > 1 else ''} {' and '.join(names)}")


def kept_readings(
    work: Workspace, kinds: Sequence[ReadingKind] = (PLAIN, QUICK)
) -> tuple[ReadingKind, FoldReadings]:
    """What was read of all folds of a run; no reader is asked.

    Args:
        work: the run.
        kinds: ways of reading, the preferred one first.

    Returns:
        The first way in which all folds were read, and what was read.

    Raises:
        FileNotFoundError: if the folds were read in none of these ways.
    """
    folds = [work.fold_name(fold) for fold in range(work.config.train_reader.folds)]
    for kind in kinds:
        if all(work.reading(kind.name, fold).is_file() for fold in folds):
            return kind, read_folds(work, no_progress, (kind,))
    wanted = " or ".join(f"`{kind.name}`" for kind in kinds)
    raise FileNotFoundError(
        f"'{work.root.name}' must hold all folds read as {wanted}, found a fold that was not; "
        "run train all or measure first"
    )
