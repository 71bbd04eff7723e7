"""A few worker processes that decode files for all users, and the thread that looks after them."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from jomed_app.errors import DecodingEndedError
from jomed_app.imaging.content.region import with_region
from jomed_app.imaging.decoder.frames import FrameView
from jomed_app.imaging.decoder.memory import LARGE_BYTES, give_back
from jomed_app.imaging.decoder.messages import MessageError
from jomed_app.imaging.decoder.process import READER, DecodeLimits, WorkerEndedError, WorkerProcess
from jomed_app.imaging.read import load_bytes
from jomed_app.types import ImageRecord, RegionWish

Answer = TypeVar("Answer")
START_LIMIT_S = 60.0  # until a new worker has imported its modules, on a busy machine
WAIT_LIMIT_S = 30.0  # for a free worker
# Ours: a decode that took a second of the processor lets answers go first. Two threads that share
# a product wait for each other: a loop on one of two cores makes an answer several times as long.
STANDS_BACK_AFTER_S = 1.0
LEAST_LOOK_S = 0.01  # the system counts a process's time in such steps
LEAST_WORKERS = 2  # so that a file that hangs one does not hold up another user's
MOST_WAITING = 12  # files of one sender; ours: each holds one of 16 threads of the server
BUSY = "a free decoder is required, found all of them at work on other files; try again in a moment"


@dataclass(frozen=True, slots=True)
class DecoderHealth:
    """How the decoders are.

    Attributes:
        alive: worker processes that run.
        wanted: workers that ought to run; 0 before the first file.
        busy_s: seconds since each running decode began, longest first.
        waiting: files that wait for a worker.
        killed: decodes that were ended for their time, since the start.
        crashed: workers that ended by themselves, since the start.
        in_force: what confines a worker on this machine, see `confine`; empty before the first.
    """

    alive: int
    wanted: int
    busy_s: tuple[float, ...]
    waiting: int
    killed: int
    crashed: int
    in_force: tuple[str, ...]


@dataclass(slots=True)
class _Task:
    """What a taken worker does: for whom, and since when (monotonic seconds).

    Attributes:
        spent_before: processor's time of the worker when it began to decode; None while it starts.
        stands_back: it decodes at the lowest priority, and is replaced after that.
        is_late: it was ended for its time.
    """

    sender: str
    began: float
    spent_before: float | None = None
    stands_back: bool = False
    is_late: bool = False


class DecoderPool:
    """Decodes files in worker processes; thread-safe.

    Workers are started as they are needed, up to `workers`, and all at once by `warm`. One that
    outlives its limit is killed and replaced at once; the file's user gets one sentence, and nobody
    else notices: a decode that took a second of the processor lets others go first, and once all
    are at work, one more is started, which is for senders who have none.
    A worker that becomes free goes to such a sender first.

    Args:
        workers: at most so many for one sender, at least two.
        limits: of each decode.
        reader: dotted name of what a worker runs, an `ImageReader`.
    """

    def __init__(
        self,
        workers: int = LEAST_WORKERS,
        limits: DecodeLimits | None = None,
        reader: str = READER,
    ) -> None:
        self.limits = limits or DecodeLimits()
        self._reader = reader
        self.workers = max(workers, LEAST_WORKERS)
        self._wanted = 0
        self._idle: list[WorkerProcess] = []
        self._tasks: dict[WorkerProcess, _Task] = {}
        self._waiting: Counter[str] = Counter()  # files by sender
        self._killed = 0
        self._crashed = 0
        self._in_force: tuple[str, ...] = ()
        self._is_closed = False
        self._changed = threading.Condition()
        # Workers are started by this thread alone: on Linux they end with the thread that did.
        self._keeper = threading.Thread(target=self._keep, name="decoder-keeper", daemon=True)
        self._keeper.start()

    def warm(self) -> None:
        """Start all workers; returns before they are ready."""
        with self._changed:
            self._wanted = self.workers
            self._changed.notify_all()

    def read_image(
        self,
        source: Path | bytes,
        *,
        frame: int = 0,
        region: RegionWish | None = "found",
        sender: str = "",
    ) -> ImageRecord:
        """Decode one frame as `imaging.read_image` does, in a worker.

        Args:
            source: a path, or the bytes of the file; at most 64 MiB.
            frame: which frame or page, from 0.
            region: what of the picture is read; as `imaging.read_image`.
            sender: who brought the file; all without a name are one.

        Raises:
            ImageError, DicomError: as `imaging.read_image`.
            DecodingEndedError: if the file took more time or memory than one may, or ended its
                decoder, or if no worker became free, or too many files of its sender wait.
            DecoderFaultError: a fault of ours in the worker.
        """
        data = load_bytes(source)
        began = time.perf_counter()
        record = self._work(data, sender, lambda worker: worker.decode(data, frame))
        if region != "found":  # what the worker reads; another part is cut here, from its pixels
            record = with_region(record, region)
        return replace(record, decode_ms=(time.perf_counter() - began) * 1000.0)

    def view_frames(
        self, data: bytes, frames: Sequence[int], view: FrameView, *, sender: str = ""
    ) -> list[NDArray[np.uint8]]:
        """Decode several frames to look at, as `decoder.frames.view_frames` does, in a worker.

        Args:
            data: the bytes of the file; at most 64 MiB.
            frames: at most `FRAMES_AT_ONCE`, from 0; all of them within the limits of one decode.
            view: the part that is shown.
            sender: who brought the file; all without a name are one.

        Raises:
            As `read_image`.
        """
        data = load_bytes(data)
        return self._work(data, sender, lambda worker: worker.view(data, frames, view))

    def _work(self, data: bytes, sender: str, do: Callable[[WorkerProcess], Answer]) -> Answer:
        """Return what a worker makes of a file."""
        worker = self._take(sender)
        try:
            answer = do(worker)
        except (WorkerEndedError, MessageError) as error:
            raise DecodingEndedError(self._why_ended(worker)) from error
        finally:
            self._give_back(worker)
        if len(data) > LARGE_BYTES:
            give_back()
        return answer

    def health(self) -> DecoderHealth:
        """Return how the decoders are now."""
        with self._changed:
            now = time.monotonic()
            return DecoderHealth(
                alive=sum(worker.is_alive for worker in (*self._idle, *self._tasks)),
                wanted=self._wanted,
                busy_s=tuple(
                    sorted((now - task.began for task in self._tasks.values()), reverse=True)
                ),
                waiting=self._waiting.total(),
                killed=self._killed,
                crashed=self._crashed,
                in_force=self._in_force,
            )

    def close(self) -> None:
        """End all workers; files that are being decoded are refused."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._keeper.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _take(self, sender: str) -> WorkerProcess:
        """Return a worker that is ready, for this thread alone."""
        until = time.monotonic() + WAIT_LIMIT_S
        while True:
            worker = self._take_idle(until, sender)
            try:
                worker.await_ready()
            except (WorkerEndedError, MessageError):
                self._give_back(worker)
                continue
            with self._changed:
                now = time.monotonic()
                self._in_force = worker.in_force
                self._tasks[worker] = _Task(sender, now, worker.seconds_spent())
                self._changed.notify_all()
            return worker

    def _take_idle(self, until: float, sender: str) -> WorkerProcess:
        """Return a worker that runs, though it may still be importing its modules."""
        with self._changed:
            if self._waiting[sender] >= MOST_WAITING:
                raise DecodingEndedError(BUSY)
            self._waiting[sender] += 1
            try:
                while True:
                    now = time.monotonic()
                    if self._is_closed or now > until:
                        raise DecodingEndedError(BUSY)
                    at_work = {task.sender for task in self._tasks.values()}
                    if self._idle and self._may_take(sender, at_work):
                        self._idle.sort(key=lambda each: each.is_ready)
                        worker = self._idle.pop()
                        self._tasks[worker] = _Task(sender, now)
                        self._changed.notify_all()
                        return worker
                    most = self.workers + (sender not in at_work)
                    self._wanted = max(self._wanted, min(most, len(self._tasks) + 1))
                    self._changed.notify_all()
                    self._changed.wait(until - now)
            finally:
                self._waiting[sender] -= 1
                self._waiting += Counter()  # names of those who wait, and no others

    def _may_take(self, sender: str, at_work: set[str]) -> bool:
        """Whether an idle worker is for this sender, who waits; the lock is held."""
        if sender not in at_work:
            return True
        return len(self._tasks) < self.workers and self._waiting.keys() <= at_work

    def _give_back(self, worker: WorkerProcess) -> None:
        """Let others have a worker; one that ended or stands back is replaced."""
        with self._changed:
            task = self._tasks.pop(worker)
            if worker.is_alive and not (task.is_late or task.stands_back):
                self._idle.append(worker)
            else:
                self._crashed += not (task.is_late or worker.is_alive)
                worker.close()
            self._changed.notify_all()

    def _why_ended(self, worker: WorkerProcess) -> str:
        """Return the sentence for a decode whose worker is gone; a worker that lies is ended."""
        worker.end()
        with self._changed:
            if self._tasks[worker].is_late:
                return (
                    f"a file must decode within {self.limits.seconds:g} s, found one that takes "
                    "longer; export it again, uncompressed if you can"
                )
        return (
            f"a file must decode within {self.limits.memory_mb} MiB and without harm to its "
            "decoder, found one that ended it; export it again, uncompressed if you can"
        )

    def _keep(self) -> None:
        """Start workers that are wanted and look after those at work, until the pool is closed."""
        with self._changed:
            while not self._is_closed:
                looks = [self._look(*each) for each in self._tasks.items() if not each[1].is_late]
                for worker in [each for each in self._idle if not each.is_alive]:
                    self._idle.remove(worker)
                    self._crashed += 1
                    worker.close()
                if len(self._idle) + len(self._tasks) < self._wanted:
                    self._idle.append(WorkerProcess(self.limits, self._reader))
                    self._changed.notify_all()
                    continue
                self._changed.wait(max(min(looks), LEAST_LOOK_S) if looks else None)
            for worker in self._tasks:
                worker.end()
            for worker in self._idle:
                worker.close()
            self._idle.clear()
            self._wanted = 0

    def _look(self, worker: WorkerProcess, task: _Task) -> float:
        """End a decode that is late, let a long one stand back; seconds until the next look."""
        running, spent = time.monotonic() - task.began, 0.0
        if task.spent_before is None:
            left = START_LIMIT_S - running
        else:
            spent = worker.seconds_spent() - task.spent_before
            left = min(self.limits.seconds - spent, self.limits.clock_s - running)
        if left <= 0:
            task.is_late = True
            self._killed += 1
            worker.end()
        elif spent >= STANDS_BACK_AFTER_S and not task.stands_back:
            task.stands_back = worker.stand_back()
        elif task.spent_before is not None and spent < STANDS_BACK_AFTER_S:
            return min(left, STANDS_BACK_AFTER_S - spent)
        return left
