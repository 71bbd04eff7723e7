"""ZeroGPU of Hugging Face Spaces: a GPU is lent for one case, for a time that is declared before.

Where the package `spaces` is not installed, or its machine is no ZeroGPU, nothing changes: the same
calls run in this process. Source: the package's own decorator (spaces 0.51), which runs a function
in a forked process that sees the GPU, takes what it is given by pickling, and sends back what it
yields.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Collection, Iterator
from functools import cache
from types import ModuleType
from typing import Any

from jomed_app.errors import CancelledError, JomedError
from jomed_app.types import Completed, Event, ImageRecord, Result, Retrieval
from jomed_app.ui.protocol import ReadingEngine

PACKAGE = "spaces"
VARIABLE = "SPACES_ZERO_GPU"  # set by such a Space
STOPPED = "the case was stopped as asked; nothing was kept, start it again"


@cache
def spaces() -> ModuleType | None:
    """Return the package, None where it is not installed; import it before torch."""
    try:
        return importlib.import_module(PACKAGE)
    except ImportError:
        return None


def is_zero_gpu() -> bool:
    """Whether a GPU is there for declared functions alone."""
    return spaces() is not None and os.environ.get(VARIABLE, "").lower() in ("1", "t", "true")


def report_start() -> None:
    """Tell a ZeroGPU what was declared and loaded; elsewhere nothing.

    The package does so when Gradio launches a page; this one is mounted into an app of its own.
    """
    if is_zero_gpu():
        importlib.import_module(f"{PACKAGE}.zero").startup()


class LentEngine:
    """An engine whose cases run where a GPU is lent; satisfies `ui.protocol.ReadingEngine`.

    Args:
        engine: loaded.
        seconds: how long one case may hold the GPU.
    """

    def __init__(self, engine: ReadingEngine, seconds: int) -> None:
        self._engine = engine
        self._run = _declared(engine, seconds)

    @property
    def info(self) -> Any:
        """See the engine."""
        return self._engine.info

    def run(
        self,
        image: ImageRecord,
        *,
        question: str | None = None,
        k: int | None = None,
        retrieval: Retrieval | None = None,
        anyway: bool = False,
        cancel: Callable[[], bool] | None = None,
    ) -> Iterator[Event]:
        """See the engine. The wish to stop is asked for here, since it cannot go along.

        Raises:
            CancelledError: if `cancel` said so; nothing is kept.
            JomedError: what the engine raises.
        """
        events = self._run(image, question=question, k=k, retrieval=retrieval, anyway=anyway)
        for event in events:
            if isinstance(event, JomedError):
                raise event
            yield event
            if cancel is not None and not isinstance(event, Completed) and cancel():
                raise CancelledError(STOPPED)

    def recompute(self, result: Result, removed: Collection[str] = (), **moved: Any) -> Result:
        """See the engine; arithmetic, for which no GPU is lent."""
        return self._engine.recompute(result, removed, **moved)

    def candidate(self, candidate_id: str, /) -> Any:
        """See the engine."""
        return self._engine.candidate(candidate_id)

    def candidate_image(self, candidate_id: str, /) -> Any:
        """See the engine."""
        return self._engine.candidate_image(candidate_id)


Steps = Iterator[Event | JomedError]


def _declared(engine: ReadingEngine, seconds: int) -> Callable[..., Steps]:
    """The engine's `run` as a function that `spaces.GPU` takes; without the package, as it is.

    An error for the visitor is the last thing that it yields: raised in a process of its own, only
    the name of its class would come back.
    """

    def read_case(image: ImageRecord, **wishes: Any) -> Steps:
        try:
            yield from engine.run(image, **wishes)
        except JomedError as error:
            yield error

    package = spaces()
    if package is None:
        return read_case
    declared: Callable[..., Steps] = package.GPU(duration=seconds)(read_case)
    return declared
