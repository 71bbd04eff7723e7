"""Progress of long work: a bar with rate and time left on the terminal, lines in a log file.

Training code takes an `OnProgress` and knows nothing of terminals; the command line makes one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from jomed_app.errors import LOG_FORMAT, PACKAGE_LOGGER

logger = logging.getLogger(__name__)


class OnProgress(Protocol):
    """What long work calls after each step."""

    def __call__(self, done: int, total: int, **figures: float) -> None:
        """Report a step.

        Args:
            done: steps finished so far, counted from the very start (a resumed run too).
            total: steps in all; may change while the work goes on.
            figures: named values of this step, such as loss=0.41.
        """


class OnLoad(Protocol):
    """What the loading of models calls after each piece; what it raises ends the loading."""

    def __call__(self, step: str, done: int, total: int) -> None:
        """Report a piece.

        Args:
            step: what is done, a few words, such as "checking the reader's files".
            done: bytes of this step that are done.
            total: bytes of the step.
        """


def load_unseen(step: str, done: int, total: int) -> None:
    """An `OnLoad` for whoever does not look."""


@contextmanager
def log_to_file(path: Path | None) -> Iterator[None]:
    """Append the package's log lines to a file for the time of the block; None logs nowhere."""
    if path is None:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter(LOG_FORMAT))
    package = logging.getLogger(PACKAGE_LOGGER)
    level = package.level
    package.addHandler(handler)
    package.setLevel(logging.INFO)
    try:
        yield
    finally:
        package.removeHandler(handler)
        package.setLevel(level)
        handler.close()


@contextmanager
def show_progress(
    title: str, log_file: Path | None = None, *, log_every_s: float = 10.0
) -> Iterator[OnProgress]:
    """Show a bar on stderr while the block runs and yield the callable that moves it.

    Args:
        title: what is being done, a few words.
        log_file: where lines go too; its folder is made.
        log_every_s: least time between two lines, seconds; the last step is always written.

    Yields:
        An `OnProgress`. The rate counts only the steps of this run, so a resumed run shows an
        honest time left.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with log_to_file(log_file), Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=None, note="")
        meter = StepMeter()
        last_logged_s = -log_every_s

        def report(done: int, total: int, **figures: float) -> None:
            nonlocal last_logged_s
            note = meter.note(done, total, time.monotonic(), figures)
            bar.update(task, completed=done, total=total, note=note)
            if done >= total or time.monotonic() - last_logged_s >= log_every_s:
                last_logged_s = time.monotonic()
                logger.info("%s: %d/%d %s", title, done, total, note)

        yield report


class StepMeter:
    """Works out rate and time left from the steps of this run."""

    def __init__(self) -> None:
        self._first: tuple[int, float] | None = None

    def note(self, done: int, total: int, now_s: float, figures: Mapping[str, float]) -> str:
        """Return "3.2/s, 00:41 left, loss 0.41".

        Args:
            done: steps finished, including those of an earlier run.
            total: steps in all.
            now_s: a monotonic clock, seconds.
            figures: values to show after rate and time; four significant digits.
        """
        parts = []
        if self._first is None:
            self._first = (done, now_s)
        first_done, first_s = self._first
        if done > first_done and now_s > first_s:
            rate = (done - first_done) / (now_s - first_s)
            parts += [f"{rate:.3g}/s", f"{clock_words((total - done) / rate)} left"]
        parts += [f"{name} {value:.4g}" for name, value in figures.items()]
        return ", ".join(parts)


def clock_words(seconds: float) -> str:
    """Return mm:ss, or h:mm:ss from an hour on."""
    minutes, rest = divmod(round(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"
