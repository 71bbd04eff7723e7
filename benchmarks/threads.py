"""How many threads share a matrix product, inside a block and no longer.

The count changes bits (docs/number_types.md). One that outlived its block would change what the
rest of the process computes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def threads_set(count: int) -> Iterator[None]:
    """Let so many threads share a matrix product inside the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
