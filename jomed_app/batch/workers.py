"""Worker processes, each with an engine of its own; all end with the process that started them."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import connection, get_context, parent_process
from pathlib import Path

from jomed_app.batch.folder import BatchFolder
from jomed_app.batch.reading import CaseTaker, Outcome
from jomed_app.batch.settings import BatchSettings
from jomed_app.errors import MemoryShortError, start_log
from jomed_app.types import Versions


@dataclass(frozen=True, slots=True)
class Work:
    """All that a process needs to start reading.

    Attributes:
        bundle, index, precision: see `load_engine`.
        threads: that share a matrix product; None leaves it to the machine.
    """

    bundle: Path
    index: Path
    precision: str
    settings: BatchSettings
    kinds: tuple[str, ...]
    out: Path
    threads: int | None = None

    def taker(self) -> CaseTaker:
        """Load an engine and return what reads with it.

        Raises:
            JomedError: as `load_engine`.
        """
        from jomed_app.inference.load import load_engine

        if self.threads is not None:
            import torch

            torch.set_num_threads(self.threads)
        engine = load_engine(self.bundle, self.index, precision=self.precision)
        return CaseTaker(engine, self.settings, self.kinds, BatchFolder(self.out))


class Workers:
    """Processes that read files; a context manager.

    Args:
        work: what each of them does.
        count: processes, at least 1.
    """

    def __init__(self, work: Work, count: int) -> None:
        self._pool = ProcessPoolExecutor(
            count, mp_context=get_context("spawn"), initializer=_start, initargs=(work,)
        )

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def describe(self) -> tuple[Versions, str]:
        """Load one process's engine; return its versions, and where it sends images, if it does."""
        with _worded():
            return self._pool.submit(_describe).result()

    def take_all(self, paths: Sequence[Path]) -> Iterator[tuple[int, Outcome]]:
        """Yield (place in `paths`, what became of the file) as they are finished."""
        with _worded():
            waiting = {self._pool.submit(_take, path): place for place, path in enumerate(paths)}
            for future in as_completed(waiting):
                yield waiting[future], future.result()


@contextlib.contextmanager
def _worded() -> Iterator[None]:
    try:
        yield
    except BrokenProcessPool:
        raise MemoryShortError(
            "every worker must live to the end, found one that was ended, as the system does where "
            "memory is short; run the same command again with fewer --workers, finished cases stay"
        ) from None


_work: list[Work] = []  # of this process: one
_taker: list[CaseTaker] = []  # one at most


def _start(work: Work) -> None:
    """Prepare a worker process: it logs, is quiet, and ends when its parent does."""
    warnings.simplefilter("ignore")
    start_log()
    sys.stdout = sys.stderr
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    _work[:] = [work]


def _end_with(sentinel: int) -> None:
    """Wait until the parent is gone, killed or not, then end at once."""
    connection.wait([sentinel])
    os._exit(1)


def _own_taker() -> CaseTaker:
    if not _taker:
        _taker.append(_work[0].taker())
    return _taker[0]


def _describe() -> tuple[Versions, str]:
    info = _own_taker().engine.info
    return info.versions, info.sent_to


def _take(path: Path) -> Outcome:
    return _own_taker().take(path)
