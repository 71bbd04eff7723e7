"""Overwriting the pixels of a case that is over: the memory, not only the hold on it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray


def whole_arrays(record: Any) -> Iterator[NDArray[Any]]:
    """Yield the arrays that a record's arrays are parts of, those of records in it too.

    Args:
        record: a dataclass, such as an `ImageRecord`.
    """
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        if isinstance(value, np.ndarray):
            yield _whole(value)
        elif dataclasses.is_dataclass(value):
            yield from whole_arrays(value)


def overwrite(whole: NDArray[Any]) -> bool:
    """Fill an array with zeros.

    Returns:
        Whether it could be; memory that Python holds to be constant cannot.
    """
    try:
        whole.setflags(write=True)
    except ValueError:
        return False
    whole.fill(0)
    return True


def _whole(part: NDArray[Any]) -> NDArray[Any]:
    """Return the array that owns the memory which an array shows."""
    while True:
        base: Any = part.base
        if isinstance(base, memoryview):  # a record from a decoder lies in blocks of memory
            base = base.obj
        if not isinstance(base, np.ndarray):
            return part
        part = base
