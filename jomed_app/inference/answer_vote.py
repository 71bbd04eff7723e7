"""What known images answered to questions alike, as a vote beside what the reader says.

Source: kNN language models, arXiv:1911.00172: the share of the vote is mixed with the model's own
probability. Ours: whole answers vote, not tokens (ADR 0011 does the same for labels).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from jomed_app.retrieval.question_search import Voter
from jomed_app.retrieval.vote import label_shares


@dataclass(frozen=True, slots=True)
class VoteSettings:
    """How much a vote counts.

    Attributes:
        share: of the vote in the final probability, in [0, 1].
        temperature: divides the voters' scores, > 0.
    """

    share: float = 0.8  # ours, not tuned (docs/results/questions.md); after tuning, reports fit one
    temperature: float = 0.02  # ours, not tuned


def vote_shares(voters: Sequence[Voter], temperature: float) -> dict[str, float]:
    """Answer -> share of the vote; case and spacing do not count, the shares sum to 1.

    Args:
        voters: none give an empty vote.
        temperature: divides their scores, > 0.
    """
    if not voters:
        return {}
    keys = [answer_key(voter.answer) for voter in voters]
    answers = list(dict.fromkeys(keys))
    scores = np.array([voter.score for voter in voters])
    labels = np.array([answers.index(key) for key in keys])
    shares = label_shares(scores, labels, len(answers), temperature)
    return dict(zip(answers, shares.tolist(), strict=True))


def answer_with_vote(
    read: Mapping[str, float], voters: Sequence[Voter], settings: VoteSettings
) -> str:
    """Return the answer of greatest probability, reader and vote mixed.

    Args:
        read: answer -> probability by the reader, one or more.
        voters: without any, the reader alone decides.
        settings: share and temperature.
    """
    votes = vote_shares(voters, settings.temperature)
    share = settings.share if votes else 0.0
    mixed: dict[str, float] = {key: share * each for key, each in votes.items()}
    for text, probability in read.items():
        key = answer_key(text)
        mixed[key] = mixed.get(key, 0.0) + (1 - share) * probability
    best = max(mixed, key=lambda key: mixed[key])
    words = [*read, *(voter.answer for voter in voters)]
    return next(text for text in words if answer_key(text) == best)


def answer_key(text: str) -> str:
    """An answer as it is told apart from others: lower case, single spaces."""
    return " ".join(text.casefold().split())
