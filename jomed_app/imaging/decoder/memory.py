"""Giving memory back to the system once a large file is through.

The C library keeps what was freed below a threshold that it raises by itself, up to 32 MiB, for
each thread that ever decoded: measured, some 60 MiB more after every picture of 64 million px.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from functools import lru_cache

LARGE_BYTES = 8 << 20  # of a file; what a smaller one leaves is soon used again


def give_back() -> bool:
    """Return freed memory to the system, where the C library can; a few milliseconds.

    Returns:
        Whether it can.
    """
    trim = _trim()
    if trim is not None:
        trim(0)
    return trim is not None


@lru_cache(maxsize=1)
def _trim() -> Callable[[int], int] | None:
    """Return glibc's malloc_trim, None elsewhere."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):  # another C library
        return None
    return trim
