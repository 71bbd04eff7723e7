"""One worker process, as its parent sees it."""

from __future__ import annotations

import contextlib
import os
import subprocess  # nosec B404  # starts our own module with our own interpreter
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO, cast

import numpy as np
import psutil
from numpy.typing import NDArray

from jomed_app import errors
from jomed_app.errors import DecoderFaultError, ImageError, JomedError
from jomed_app.imaging.decoder.frames import FrameView
from jomed_app.imaging.decoder.messages import (
    MessageError,
    pack_words,
    receive,
    send,
    unpack_pictures,
    unpack_record,
    unpack_words,
)
from jomed_app.types import ImageRecord

# A worker gets nothing of the environment but what an interpreter needs to start.
_KEPT_VARIABLES = ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG", "LC_ALL")
READER = "jomed_app.imaging.read.read_image"
LOWEST_PRIORITY = 19  # of setpriority(2): such a process gets what others leave
CLOCK_TIMES = 3  # ours: who stands back while answers are computed has three times as long
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What one decode may take.

    Attributes:
        seconds: of the processor's time.
        memory_mb: MiB beyond the idle worker; kept on Linux only, see `confine`.
    """

    seconds: float = 10.0
    memory_mb: int = 1024

    @property
    def clock_s(self) -> float:
        """Seconds on the clock, whatever of them the processor gave to others."""
        return CLOCK_TIMES * self.seconds


class WorkerEndedError(Exception):
    """The worker has ended without an answer."""


class WorkerProcess:
    """Starts at once and decodes one file at a time; not thread-safe.

    Args:
        limits: of each decode. The parent keeps the time, by `end`.
        reader: dotted name of what the worker runs, an `ImageReader`.
    """

    def __init__(self, limits: DecodeLimits, reader: str = READER) -> None:
        self.limits = limits
        self.in_force: tuple[str, ...] = ()
        self.is_ready = False
        self._process = subprocess.Popen(  # nosec B603  # no shell, no word of a file
            [sys.executable, "-m", "jomed_app.imaging.decoder.worker", _words(limits, reader)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # a native library may quote the file
            bufsize=0,
            env=_environment(),
            # Ctrl-C in a terminal goes to the parent alone. No session of its own: Linux shares the
            # processor between sessions first (autogroup), and a low priority counts within one.
            process_group=0,
        )

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def seconds_spent(self) -> float:
        """Processor's time since it was started; 0.0 once it has ended."""
        try:
            spent = psutil.Process(self.pid).cpu_times()
        except psutil.Error:
            return 0.0
        return float(spent.user + spent.system)

    def stand_back(self) -> bool:
        """Let every other process of this machine go first from now on, where the system can.

        Returns:
            Whether it does; an ordinary user cannot take it back.
        """
        with contextlib.suppress(AttributeError, OSError):  # Windows has no such call
            os.setpriority(os.PRIO_PROCESS, self.pid, LOWEST_PRIORITY)
            return True
        return False

    def await_ready(self) -> None:
        """Wait until its modules are imported and its limits are set.

        Raises:
            WorkerEndedError: if it ended before.
        """
        if not self.is_ready:
            (words,) = self._receive(1)
            self.in_force = tuple(unpack_words(words).get("in_force", ()))
            self.is_ready = True

    def decode(self, data: bytes, frame: int) -> ImageRecord:
        """Decode one frame.

        Raises:
            JomedError: what `read_image` raised there, of the same type and wording.
            DecoderFaultError: a fault of ours in the worker.
            WorkerEndedError: if the worker ended meanwhile.
        """
        return unpack_record(self._ask(data, "record", frame=frame)[1:])

    def view(self, data: bytes, frames: Sequence[int], view: FrameView) -> list[NDArray[np.uint8]]:
        """Decode several frames to look at.

        Raises:
            As `decode`.
        """
        return unpack_pictures(self._ask(data, "frames", frames=list(frames), view=asdict(view)))

    def _ask(self, data: bytes, kind: str, **words: Any) -> list[memoryview]:
        """Return the reply to a file, which is of the kind that was asked for."""
        try:
            send(cast(BinaryIO, self._process.stdin), [pack_words(**words), data])
        except OSError as error:
            raise WorkerEndedError from error
        blocks = self._receive()
        words = unpack_words(blocks[0])
        match words.get("kind"):
            case given if given == kind:
                return blocks
            case "error":
                raise _error(str(words.get("type")), str(words.get("sentence")))
            case _:
                raise DecoderFaultError([str(place) for place in words.get("places", ())])

    def end(self) -> None:
        """Kill it and take its memory back; ending it twice changes nothing."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """End it and close the pipes; only when no other thread waits for it."""
        self.end()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _receive(self, count: int | None = None) -> list[memoryview]:
        try:
            blocks = receive(cast(BinaryIO, self._process.stdout))
        except (MessageError, OSError) as error:
            raise WorkerEndedError from error
        if not blocks or (count is not None and len(blocks) != count):
            raise WorkerEndedError
        return blocks


def _words(limits: DecodeLimits, reader: str) -> str:
    return pack_words(**asdict(limits), clock_s=limits.clock_s, reader=reader).decode()


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    path = os.pathsep.join(dict.fromkeys(place or os.getcwd() for place in sys.path))
    return kept | {
        "PYTHONPATH": path,
        "PYTHONDONTWRITEBYTECODE": "1",
        **dict.fromkeys(_ONE_THREAD, "1"),
    }


def _error(name: str, sentence: str) -> JomedError:
    """Return the error that the worker raised."""
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, JomedError):
        return kind(sentence)
    return ImageError(sentence)
