"""When a question is asked again, and when a server is left alone for a while."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

FIRST_WAIT_S = 0.25
LONGEST_WAIT_S = 8.0
MAY_PASS = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP statuses that another try may mend."""

FAILURES = 3  # ours: calls in a row; each has had its retries by then
REST_S = 20.0  # ours


def wait_before(attempt: int, retry_after: str | None) -> float:
    """Seconds before a try.

    Doubles with every try; a random part keeps many askers apart. What the server says wins.

    Args:
        attempt: 1 is the first retry.
        retry_after: header of that name (RFC 9110, 10.2.3): seconds, or a date.
    """
    said = _said(retry_after)
    if said is not None:
        return said
    longest = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** (attempt - 1))
    return longest * random.uniform(0.5, 1.0)  # nosec B311  # guards nothing


def _said(retry_after: str | None) -> float | None:
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.now(UTC)).total_seconds())


class Breaker:
    """Refuses calls of a server that failed several in a row, until it has rested.

    Then one call is let through; the server's answer to it opens the way again. A call is all
    questions of a case that are asked side by side.

    Args:
        now: clock, s.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._failures = 0
        self._until = 0.0

    def rest(self) -> float:
        """Seconds for which nothing may be asked; 0 lets one call through."""
        if self._failures < FAILURES:
            return 0.0
        left = self._until - self._now()
        if left > 0:
            return left
        self._until = self._now() + REST_S  # others wait for what this call brings
        return 0.0

    def worked(self) -> None:
        """Take note of an answer."""
        self._failures = 0

    def failed(self) -> None:
        """Take note of a call that was not answered."""
        self._failures += 1
        self._until = self._now() + REST_S
