"""The same work by several threads at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

T = TypeVar("T")


def at_once(work: Callable[[int], T], count: int = 4) -> list[T]:
    """Let `count` threads begin together; return what each found, in order.

    Args:
        work: takes the number of its thread.
        count: threads.
    """
    barrier = Barrier(count, timeout=60)

    def begin(number: int) -> T:
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(begin, range(count)))
