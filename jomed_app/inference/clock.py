"""Wall-clock per step of a case."""

from __future__ import annotations

import time

from jomed_app.types import Timings


class Clock:
    """Adds up milliseconds per step."""

    def __init__(self, decode_ms: float) -> None:
        self._spent = {"decode": decode_ms, "retrieve": 0.0, "read": 0.0}
        self._last = time.perf_counter()

    def mark(self, step: str) -> None:
        """Book the time since the last mark to a step."""
        now = time.perf_counter()
        self._spent[step] += 1000 * (now - self._last)
        self._last = now

    def timings(self) -> Timings:
        """Return the sums so far."""
        return Timings(**self._spent, total=sum(self._spent.values()))
