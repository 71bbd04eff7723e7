"""Files that calls of the endpoint bring, decoded while the server answers others."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")
DECODED_AT_ONCE = 16  # threads, most of which wait for a decoder
OF_ONE_SENDER = 8  # ours: half, so that two senders at least are heard


class Decoding:
    """Runs what decodes in threads; of one sender few at a time, the rest wait without a thread.

    Used from the server's event loop alone.

    Args:
        at_once: threads.
        of_one: of them for the files of one sender.
    """

    def __init__(self, at_once: int = DECODED_AT_ONCE, of_one: int = OF_ONE_SENDER) -> None:
        self._threads = ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="decoding")
        self._of_one = of_one
        self._shares: dict[str, asyncio.Semaphore] = {}
        self._calls: dict[str, int] = {}

    async def run(self, sender: str, function: Callable[..., T], *arguments: Any) -> T:
        """Return what a function returns, in the order in which its sender's calls came.

        Args:
            sender: whose file it decodes; all without a name are one.
            function: run in a thread, with the caller's context.
            arguments: of it.
        """
        share = self._shares.setdefault(sender, asyncio.Semaphore(self._of_one))
        self._calls[sender] = self._calls.get(sender, 0) + 1
        try:
            async with share:
                loop, run = asyncio.get_running_loop(), contextvars.copy_context().run
                return await loop.run_in_executor(self._threads, run, function, *arguments)
        finally:
            self._calls[sender] -= 1
            if not self._calls[sender]:
                del self._calls[sender], self._shares[sender]
