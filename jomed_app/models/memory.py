"""Memory that does not suffice, said in one sentence that names the setting to lower."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from jomed_app.errors import MemoryShortError

# Plain RuntimeErrors of PyTorch's allocator on the CPU, and of cuBLAS.
SHORT_WORDS = ("not enough memory", "CUBLAS_STATUS_ALLOC_FAILED")


@contextmanager
def memory_of(settings: str) -> Iterator[None]:
    """Run something that may need more memory than there is.

    Args:
        settings: what to lower, in words.

    Raises:
        MemoryShortError: where memory ran out.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise MemoryShortError(_sentence(settings)) from error
    except RuntimeError as error:
        if not any(words in str(error) for words in SHORT_WORDS):
            raise
        raise MemoryShortError(_sentence(settings)) from error


def _sentence(settings: str) -> str:
    return f"the model requires more memory than is free here; lower {settings}"
