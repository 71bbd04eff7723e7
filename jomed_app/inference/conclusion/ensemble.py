"""The ensemble: what the reader says, the vote of the nearest cases and the image alone, in shares.

Source: kNN language models, arXiv:1911.00172 (a retrieval distribution mixed into the model's own).
Ours: a third part, the localizer's class query (or the tower's linear head, where a task has no
boxes), which looks at the query alone. All shares are fitted on cases that nothing was trained on,
so a part that adds nothing has none.

Letters in docstrings: C answers (labels).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def mix(reader: FloatArray | None, parts: Sequence[tuple[FloatArray, float]]) -> FloatArray:
    """Return log((1 - sum of shares) p + sum of share * part), (..., C) nats.

    Where the reader says nothing the parts fill the whole, in proportion to their shares; parts
    without any share count alike.

    Args:
        reader: (..., C) normalized, nats; None where the reader was not asked.
        parts: (..., C) probabilities and their share each; one at least without a reader.

    Raises:
        ValueError: if a share is negative, the shares exceed 1, or nothing is said at all.
    """
    shares = np.array([share for _, share in parts], dtype=np.float64)
    rest = 1.0 - float(shares.sum())
    if not ((shares >= 0).all() and rest >= -1e-9):
        raise ValueError(f"shares must be >= 0 and sum to 1 at most, found {shares.tolist()}")
    if reader is None:
        if not parts:
            raise ValueError("an ensemble needs the reader or another part, found neither")
        whole = float(shares.sum())
        shares = shares / whole if whole > 0 else np.full(len(parts), 1 / len(parts))
        mixed = np.full(np.broadcast_shapes(*(said.shape for said, _ in parts)), -np.inf)
    else:
        with np.errstate(divide="ignore"):
            mixed = np.log(max(rest, 0.0)) + reader
    for (said, _), share in zip(parts, shares, strict=True):
        if share:
            with np.errstate(divide="ignore"):
                mixed = np.logaddexp(mixed, np.log(share * said))
    return np.asarray(mixed)


def leave_new_labels_to_vote(
    log_prob: FloatArray, vote: FloatArray, is_new: NDArray[np.bool_]
) -> FloatArray:
    """Give labels that nothing was trained on what the vote gives them; the others share the rest.

    Ours: reader and classifier never learned to say such a label, so their silence about it means
    nothing. It becomes known by cases in the index, without training.

    Args:
        log_prob: (..., C) normalized, nats.
        vote: (..., C) shares of the nearest cases, each >= 0, their sum 1.
        is_new: (C,) True for a label of the index alone, not for all.

    Returns:
        (..., C) normalized, nats.

    Raises:
        ValueError: if no label was trained on.
    """
    if is_new.all():
        raise ValueError("one label at least must be known by training, found none")
    trained = np.where(is_new, -np.inf, log_prob)
    trained = trained - np.logaddexp.reduce(trained, axis=-1, keepdims=True)
    with np.errstate(divide="ignore"):
        rest, said = np.log1p(-vote[..., is_new].sum(axis=-1, keepdims=True)), np.log(vote)
    return np.asarray(np.where(is_new, said, trained + rest))
