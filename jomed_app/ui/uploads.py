"""Uploads between their arrival and the case that takes them: in memory, never on disk."""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

MAX_WAITING_MB = 512  # ours: eight files of the largest size


class UploadsFullError(Exception):
    """More bytes wait to be taken than the server holds at once, in all or of one visitor."""


class UploadStore:
    """Uploaded files, each under a random name of its own, handed out once; thread-safe.

    Ours: Gradio writes an upload under its own file name into a folder named after its content,
    so that two calls with the same file share one copy, and both name and hash reach the disk.

    Args:
        folder: what names begin with. Gradio refuses a path elsewhere; nothing is written there.
        max_bytes: of all files that wait or arrive at one time.
        max_visitor_bytes: of those of one visitor; as many as of all when None.
        lifetime_s: after which a file that nobody took is dropped.
        clock: seconds, ascending.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_bytes: int = MAX_WAITING_MB * 2**20,
        max_visitor_bytes: int | None = None,
        lifetime_s: float = 900.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._max_visitor_bytes = max_bytes if max_visitor_bytes is None else max_visitor_bytes
        self._lifetime_s = lifetime_s
        self._clock = clock
        self._lock = threading.Lock()
        self._held_bytes: Counter[str] = Counter()  # by visitor
        self._waiting: dict[str, tuple[float, bytes, str]] = {}

    def reserve(self, count: int, visitor: str = "") -> None:
        """Make room for bytes that arrive from a visitor.

        Raises:
            UploadsFullError: if there is none; nothing is reserved then.
        """
        self.sweep()
        with self._lock:
            if (
                self._held_bytes.total() + count > self._max_bytes
                or self._held_bytes[visitor] + count > self._max_visitor_bytes
            ):
                raise UploadsFullError
            self._held_bytes[visitor] += count

    def release(self, count: int, visitor: str = "") -> None:
        """Give back room that was reserved for a visitor."""
        with self._lock:
            self._release(count, visitor)

    def put(self, data: bytes, visitor: str = "") -> str:
        """Keep a file that room was reserved for; return the path that stands for it."""
        path = str(self._folder / secrets.token_urlsafe(24))
        with self._lock:
            self._waiting[path] = (self._clock(), data, visitor)
        return path

    def take(self, path: str) -> bytes | None:
        """Return a file and forget it; None for one that is not, or no longer, held."""
        self.sweep()
        with self._lock:
            return self._pop(path)

    def sender_of(self, path: str) -> str:
        """Return who sent a file that waits; "" for one that does not."""
        with self._lock:
            return self._waiting[path][2] if path in self._waiting else ""

    def sweep(self) -> None:
        """Drop the files that nobody took within the lifetime."""
        with self._lock:
            limit = self._clock() - self._lifetime_s
            for path in [each for each, (came, _, _) in self._waiting.items() if came < limit]:
                self._pop(path)

    def __len__(self) -> int:
        """Return the number of files that wait."""
        with self._lock:
            return len(self._waiting)

    def _pop(self, path: str) -> bytes | None:
        """Forget one file; the lock is held."""
        entry = self._waiting.pop(path, None)
        if entry is None:
            return None
        _, data, visitor = entry
        self._release(len(data), visitor)
        return data

    def _release(self, count: int, visitor: str) -> None:
        """Give room back; nobody is remembered who holds none. The lock is held."""
        self._held_bytes[visitor] -= count
        if self._held_bytes[visitor] <= 0:
            del self._held_bytes[visitor]
