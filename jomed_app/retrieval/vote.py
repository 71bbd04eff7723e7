"""The vote of the nearest cases: known labels, weighed by similarity.

Source: kNN language models, arXiv:1911.00172: a retrieval distribution mixed into the model's own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

SMALLEST_SHARE = 1e-3  # ours: no label is ruled out because none of the nearest cases has it


def neighbor_vote(
    scores: ArrayLike, labels: ArrayLike, num_labels: int, temperature: float
) -> NDArray[np.float64]:
    """Return the share of each label among the nearest cases.

    Args:
        scores: (N,) inner products of the nearest cases.
        labels: (N,) their label indexes, in [0, num_labels).
        num_labels: C.
        temperature: > 0; scores are divided by it before the softmax.

    Returns:
        (C,) probabilities, each at least about `SMALLEST_SHARE`; sums to 1.

    Raises:
        ValueError: if there is no case, the lengths differ or temperature <= 0.
    """
    values = np.asarray(scores, dtype=np.float64)
    members = np.asarray(labels, dtype=np.intp)
    if values.shape != members.shape or values.ndim != 1 or not len(values):
        raise ValueError(
            f"a vote needs N scores and N labels, found {values.shape} and {members.shape}"
        )
    if not temperature > 0:
        raise ValueError(f"temperature must be > 0, found {temperature}")
    shares = np.maximum(label_shares(values, members, num_labels, temperature), SMALLEST_SHARE)
    return np.asarray(shares / shares.sum())


def label_shares(
    scores: NDArray[np.float64], labels: NDArray[np.intp], num_labels: int, temperature: float
) -> NDArray[np.float64]:
    """Return (C,) shares of N >= 1 votes whose weights are the softmax of their scores."""
    weights = np.exp((scores - scores.max()) / temperature)
    return np.asarray(np.bincount(labels, weights, minlength=num_labels) / weights.sum())
