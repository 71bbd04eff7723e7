"""The line in front of the model: one case is read at a time, the others wait in order.

Ours: Gradio's own queue shows a place in its own wording only, and refuses with a fault; here a
visitor is told the place, about how long, and what to do when the line is full.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self, TypeVar

from jomed_app.errors import LineError

T = TypeVar("T")
FULL = (
    "at most {most} cases may wait for the model, found as many already; "
    "run yours again in a minute"
)
CLOSED = "a server that goes on is required, found one being stopped; try again in a minute"
NEWS_S = 1.0  # a visitor who waits hears of the time left once a second
SHARE_OF_LAST = 0.3  # ours: of the last case in the running mean of a case's seconds


class Line:
    """Cases in the order they came; the first is read. Used from the server's event loop alone.

    Args:
        most_waiting: cases that may wait while one is read.
        clock: seconds, ascending.
    """

    def __init__(self, most_waiting: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most_waiting = most_waiting
        self._clock = clock
        self._turns: list[Turn] = []
        self._usual_s: float | None = None
        self._is_closed = False
        # One thread reads: a step of a case that was left still ends before the next case's begins.
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reader")

    def __len__(self) -> int:
        """Return the number of cases that are read or wait."""
        return len(self._turns)

    def join(self, *, was_accepted: bool = False) -> Turn:
        """Return a turn at the end of the line; leave it by the end of its `with`.

        Args:
            was_accepted: whether the server took the call before it was told to stop: it refuses
                new ones at the door, and one whose file is still being decoded is read.

        Raises:
            LineError: if the line is full, or the server is being stopped.
        """
        if self._is_closed and not was_accepted:
            raise LineError(CLOSED)
        if len(self._turns) > self._most_waiting:
            raise LineError(FULL.format(most=self._most_waiting))
        turn = Turn(self)
        self._turns.append(turn)
        self._call_up()
        return turn

    def close(self) -> None:
        """Take nobody new; those in the line are still read."""
        self._is_closed = True

    def faults(self, limit_s: float) -> list[str]:
        """Return what is wrong: a step of the case being read that takes longer than the limit."""
        began = self._turns[0].step_began if self._turns else None
        is_late = began is not None and self._clock() - began > limit_s
        return ["a step of a case is over its budget"] if is_late else []

    def _place(self, turn: Turn) -> int:
        """Return 0 for the case that is read, 1 for the next."""
        return self._turns.index(turn)

    def _seconds_until(self, place: int) -> float | None:
        """Return about how long a place takes; None before the first case was read."""
        return None if self._usual_s is None else place * self._usual_s

    def _leave(self, turn: Turn, *, was_read: bool) -> None:
        self._turns.remove(turn)
        if turn.called_at is not None and was_read:
            took = self._clock() - turn.called_at
            usual = took if self._usual_s is None else self._usual_s
            self._usual_s = usual + SHARE_OF_LAST * (took - usual)
        self._call_up()

    def _call_up(self) -> None:
        """Wake everyone: whoever is first now begins, the others have moved up."""
        for turn in self._turns:
            turn.moved.set()
        if self._turns and self._turns[0].called_at is None:
            self._turns[0].called_at = self._clock()


class Turn:
    """One case's place in the line.

    Attributes:
        moved: set whenever the line moves.
        called_at: since when the case is the first, seconds of the line's clock.
        step_began: since when a step of it runs; None while none does.
    """

    def __init__(self, line: Line) -> None:
        self._line = line
        self.moved = asyncio.Event()
        self.called_at: float | None = None
        self.step_began: float | None = None
        self._num_steps = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._line._leave(self, was_read=kind is None and self._num_steps > 0)

    async def places(self) -> AsyncIterator[tuple[int, float | None]]:
        """Yield the place in line and about the seconds left, until it is the case's turn.

        Yields when the line moves, and once a second. Place 1 is next.
        """
        while place := self._line._place(self):
            yield place, self._line._seconds_until(place)
            self.moved.clear()
            try:
                await asyncio.wait_for(self.moved.wait(), NEWS_S)
            except TimeoutError:
                continue

    async def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run a function in the thread that reads, and return what it returns."""
        self.step_began = self._line._clock()
        self._num_steps += 1
        try:
            loop = asyncio.get_running_loop()
            run = contextvars.copy_context().run  # which visitor asks goes along
            return await loop.run_in_executor(self._line._reader, run, function, *arguments)
        finally:
            self.step_began = None

    async def steps(self, steps: Iterator[T]) -> AsyncIterator[T]:
        """Yield what an iterator yields, each step made in the thread that reads."""
        end = object()
        try:
            while (step := await self.call(next, steps, end)) is not end:
                yield step
        finally:  # after a step that may still run
            if close := getattr(steps, "close", None):
                self._line._reader.submit(close)
