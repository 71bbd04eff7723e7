"""What is heard beside the candidates: the vote of the nearest cases, and the image alone.

Source: kNN language models, arXiv:1911.00172 (a retrieval distribution mixed into the model's own).
Ours: a third voice, the localizer's class query (or the tower's linear head, where a task has no
boxes), which looks at the query alone. All shares are fitted on cases
that nothing was trained on, so a voice that adds nothing is not heard.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Opinions:
    """Probabilities beside the candidates' marginal, and how much each counts.

    Attributes:
        vote: label -> share among the nearest cases; empty for none.
        vote_share: weight of the vote, in [0, 1].
        image_head: label -> probability of the image alone; empty for none.
        image_share: weight of the image alone, in [0, 1].
        index_only: labels that only the known cases have; see `hear_index_only`.
    """

    vote: Mapping[str, float] = field(default_factory=dict)
    vote_share: float = 0.0
    image_head: Mapping[str, float] = field(default_factory=dict)
    image_share: float = 0.0
    index_only: tuple[str, ...] = ()

    @property
    def shares(self) -> tuple[float, float]:
        """Weights of vote and head; 0 for a voice that says nothing."""
        return (
            self.vote_share if self.vote else 0.0,
            self.image_share if self.image_head else 0.0,
        )

    def mix(self, log_prob: NDArray[np.float64], labels: Sequence[str]) -> NDArray[np.float64]:
        """Mix them into normalized (..., C) log-probabilities; see `mix_opinions`.

        Labels of the index alone are the vote's; without a vote nobody speaks of them.
        """
        voices = [
            np.array([said.get(label, 0.0) for label in labels])
            for said in (self.vote, self.image_head)
        ]
        mixed = mix_opinions(log_prob, list(zip(voices, self.shares, strict=True)))
        is_new = np.array([label in self.index_only for label in labels])
        return hear_index_only(mixed, voices[0], is_new) if is_new.any() else mixed


def mix_opinions(
    log_prob: NDArray[np.float64], opinions: Sequence[tuple[NDArray[np.float64], float]]
) -> NDArray[np.float64]:
    """Return log((1 - sum of shares) p + sum of share * opinion), (..., C) nats.

    Args:
        log_prob: (..., C) normalized, nats.
        opinions: (..., C) probabilities and their share each.

    Raises:
        ValueError: if a share is negative or the shares exceed 1.
    """
    shares = [share for _, share in opinions]
    rest = 1.0 - sum(shares)
    if not (all(share >= 0 for share in shares) and rest >= -1e-9):
        raise ValueError(f"shares must be >= 0 and sum to 1 at most, found {shares}")
    with np.errstate(divide="ignore"):
        mixed = np.log(max(rest, 0.0)) + log_prob
        for said, share in opinions:
            if share:
                mixed = np.logaddexp(mixed, np.log(share * said))
    return np.asarray(mixed)


def hear_index_only(
    log_prob: NDArray[np.float64], vote: NDArray[np.float64], is_new: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Give labels that nothing was trained on what the vote gives them; the others share the rest.

    Ours: reader and classifier never learned to say such a label, so their silence about it means
    nothing. It becomes known by cases in the index, without training.

    Args:
        log_prob: (..., C) normalized, nats.
        vote: (C,) shares of the nearest cases, each >= 0, their sum 1, or all 0 for no vote.
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
        rest, said = np.log1p(-vote[is_new].sum()), np.log(vote)
    return np.asarray(np.where(is_new, said, trained + rest))
