"""How far the loading of the models is: written by the thread that loads, read by the page."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from jomed_app.errors import CancelledError
from jomed_app.progress import clock_words

GIB = 2**30
BEGINNING = "loading the program"
STOPPED = "the loading was stopped as asked; nothing was kept, start the app again"


@dataclass(frozen=True, slots=True)
class Loaded:
    """One moment of the loading, in words and as a share.

    Attributes:
        step: what is done, a few words.
        share: of this step that is done, in [0, 1]; 0 while unknown.
        amount: "3.2 of 15.4 GB"; empty while unknown.
        left: "about 00:41 left"; empty while unknown.
    """

    step: str
    share: float = 0.0
    amount: str = ""
    left: str = ""

    @property
    def words(self) -> str:
        """All of it in one phrase."""
        return ", ".join(part for part in (self.step, self.amount, self.left) if part)

    def to_dict(self) -> dict[str, object]:
        """Plain values, as the page's script takes them."""
        return asdict(self) | {"words": self.words, "is_over": False}


class LoadState:
    """Takes what the loader tells (`OnLoad`) and gives the moment. Safe to use from any thread.

    Args:
        clock: seconds, ascending.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._step, self._done, self._total = BEGINNING, 0, 0
        self._first: tuple[float, int] = (clock(), 0)
        self._is_stopped = False

    def __call__(self, step: str, done: int, total: int) -> None:
        """Note a piece.

        Raises:
            CancelledError: if the server was told to end meanwhile.
        """
        if self._is_stopped:
            raise CancelledError(STOPPED)
        with self._lock:
            if step != self._step:
                self._first = (self._clock(), done)
            self._step, self._done, self._total = step, done, total

    def stop(self) -> None:
        """Have the loading end at its next piece."""
        self._is_stopped = True

    @property
    def is_stopped(self) -> bool:
        """Whether it was told to end."""
        return self._is_stopped

    def now(self) -> Loaded:
        """Return the moment. The time left is that of the present step, at its mean rate."""
        with self._lock:
            step, done, total = self._step, self._done, self._total
            began, first = self._first
        if total <= 0:
            return Loaded(step)
        amount = f"{done / GIB:.1f} of {total / GIB:.1f} GB"
        if total < GIB / 10:
            amount = f"{done / 2**20:.1f} of {total / 2**20:.1f} MB"
        seconds = self._clock() - began
        left = ""
        if done > first and seconds >= 1:
            left = f"about {clock_words((total - done) * seconds / (done - first))} left"
        return Loaded(step, done / total, amount, left)
