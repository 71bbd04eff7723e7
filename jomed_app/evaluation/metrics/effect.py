"""What retrieval does to an answer: right answers that it brings, and those that it takes away.

Letters in docstrings: N cases.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def is_helped(with_cases: ArrayLike, without: ArrayLike) -> NDArray[np.bool_]:
    """Return (N,), True where an answer is wrong without retrieval and right with it.

    Args:
        with_cases: (N,) whether the answer with retrieval is right.
        without: (N,) whether the answer without it is.

    Raises:
        ValueError: if there is no case or the lengths differ.
    """
    found, alone = _checked(with_cases, without)
    return found & ~alone


def is_harmed(with_cases: ArrayLike, without: ArrayLike) -> NDArray[np.bool_]:
    """Return (N,), True where an answer is right without retrieval and wrong with it.

    Args and raises: as `is_helped`.
    """
    found, alone = _checked(with_cases, without)
    return alone & ~found


def _checked(
    with_cases: ArrayLike, without: ArrayLike
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    found, alone = np.asarray(with_cases, dtype=bool), np.asarray(without, dtype=bool)
    if found.ndim != 1 or found.shape != alone.shape or not found.size:
        raise ValueError(
            "help and harm need the same cases with and without retrieval, one or more, found "
            f"{found.shape} and {alone.shape}"
        )
    return found, alone
