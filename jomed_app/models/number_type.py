"""The number type that matrix products run in: the faster one of this machine, by measurement.

Ours: a processor without bf16 arithmetic emulates it, about 50 times slower than fp32
(docs/adr/0016), so neither training nor answering may take bf16 for granted.
"""

from __future__ import annotations

import time
from functools import lru_cache

import torch

ROWS, INNER, COLUMNS = 256, 576, 1536  # of the product that is timed
TIMES = 4


@lru_cache  # one answer per process, or a busy moment would change the type between two loads
def matmul_seconds(dtype: torch.dtype) -> float:
    """Best time of a short matrix product on the CPU, s."""
    left, right = torch.ones(ROWS, INNER, dtype=dtype), torch.ones(INNER, COLUMNS, dtype=dtype)
    best = float("inf")
    for _ in range(TIMES):
        start = time.perf_counter()
        left @ right
        best = min(best, time.perf_counter() - start)
    return best


def compute_dtype() -> torch.dtype:
    """bf16, or fp32 where this machine has no GPU and its processor emulates bf16."""
    if torch.cuda.is_available():
        return torch.bfloat16
    is_fast = matmul_seconds(torch.bfloat16) < matmul_seconds(torch.float32)
    return torch.bfloat16 if is_fast else torch.float32


def autocast() -> torch.autocast:
    """Run a training step's matrix products in `compute_dtype`."""
    return torch.autocast("cpu", torch.bfloat16, enabled=compute_dtype() is torch.bfloat16)
