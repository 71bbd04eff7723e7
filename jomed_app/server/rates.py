"""How often one visitor may ask: a bucket of tokens each, refilled at a steady rate.

Source: the token bucket of RFC 2697, with one rate; 429 and Retry-After of RFC 6585.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from jomed_app.server.refusal import refuse
from jomed_app.server.visitor import visitor_of

TOO_OFTEN = "Requests came faster than one visitor may send them; wait {seconds} s and go on."
READS = frozenset({"GET", "HEAD", "OPTIONS"})
# Share of a token. A window is dragged in dozens of small requests, a case is opened in three.
COSTS = {"/gradio_api/component_server": 0.125}
MOST_BUCKETS = 10_000  # ours: about 2 MB; beyond, the full ones are dropped, which changes nothing


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class Buckets:
    """A bucket for each key; thread-safe.

    Args:
        per_minute: tokens that flow in per minute, and that a bucket holds.
        clock: seconds, ascending.
    """

    def __init__(self, per_minute: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[str, _Bucket] = {}

    def __len__(self) -> int:
        """Return the number of buckets held."""
        return len(self._buckets)

    def take(self, key: str, tokens: float = 1.0) -> float:
        """Take tokens; return 0, or without taking any the seconds until there are enough."""
        with self._lock:
            now = self._clock()
            if key not in self._buckets and len(self._buckets) >= MOST_BUCKETS:
                self._drop_full(now)
            bucket = self._buckets.setdefault(key, _Bucket(self._per_minute, now))
            self._fill(bucket, now)
            if bucket.tokens >= tokens:
                bucket.tokens -= tokens
                return 0.0
            return (tokens - bucket.tokens) * 60 / self._per_minute

    def give_back(self, key: str, tokens: float = 1.0) -> None:
        """Put tokens back that were taken."""
        with self._lock:
            if bucket := self._buckets.get(key):
                bucket.tokens = min(self._per_minute, bucket.tokens + tokens)

    def _fill(self, bucket: _Bucket, now: float) -> None:
        flowed = (now - bucket.filled_at) * self._per_minute / 60
        bucket.tokens = min(self._per_minute, bucket.tokens + flowed)
        bucket.filled_at = now

    def _drop_full(self, now: float) -> None:
        for key, bucket in list(self._buckets.items()):
            self._fill(bucket, now)
            if bucket.tokens >= self._per_minute:
                del self._buckets[key]


class RateLimit:
    """Refuses what changes something when one visitor sends too much of it.

    Args:
        app: what answers.
        per_minute: requests of one visitor; 0 sets no limit.
        clock: seconds, ascending.
    """

    def __init__(
        self, app: ASGIApp, per_minute: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.app = app
        self.buckets = Buckets(per_minute, clock) if per_minute else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["method"] not in READS and self.buckets is not None:
            cost = COSTS.get(scope["path"].rstrip("/"), 1.0)
            if wait_s := self.buckets.take(visitor_of(scope), cost):
                await refuse_too_often(scope, receive, send, wait_s)
                return
        await self.app(scope, receive, send)


async def refuse_too_often(scope: Scope, receive: Receive, send: Send, wait_s: float) -> None:
    """Answer 429 and say when to come back."""
    seconds = str(math.ceil(wait_s))
    sentence = TOO_OFTEN.format(seconds=seconds)
    await refuse(scope, receive, send, 429, sentence, {"Retry-After": seconds})
