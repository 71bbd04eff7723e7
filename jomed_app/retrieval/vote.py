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
        scores: (..., N) inner products of the nearest cases; -inf marks a case that has no vote.
        labels: (..., N) their label indexes, in [0, num_labels); of one without a vote any.
        num_labels: C.
        temperature: > 0; scores are divided by it before the softmax.

    Returns:
        (..., C) probabilities, each at least about `SMALLEST_SHARE`; sums to 1.

    Raises:
        ValueError: if there is no case with a vote, the shapes differ or temperature <= 0.
    """
    values = np.asarray(scores, dtype=np.float64)
    members = np.asarray(labels, dtype=np.intp)
    if values.shape != members.shape or not values.ndim or not values.shape[-1]:
        raise ValueError(
            f"a vote needs N scores and N labels, found {values.shape} and {members.shape}"
        )
    if not temperature > 0:
        raise ValueError(f"temperature must be > 0, found {temperature}")
    best = values.max(axis=-1, keepdims=True)
    if not np.isfinite(best).all():
        raise ValueError("a vote needs one case with a finite score, found none")
    weights = np.exp((values - best) / temperature)
    weights = weights / weights.sum(axis=-1, keepdims=True)
    shares = np.stack(
        [np.where(members == label, weights, 0.0).sum(axis=-1) for label in range(num_labels)],
        axis=-1,
    )
    shares = np.maximum(shares, SMALLEST_SHARE)
    return np.asarray(shares / shares.sum(axis=-1, keepdims=True))
