"""How the rewards of the responses to one query become one number each.

Source: UMed-LVLM, arXiv:2501.01377: localization and vision relevance are divided by the largest
value among the responses to the same query, then all three are added.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from jomed_app.objectives.umed.rewards import REWARDS


def proper_relevance(relevance: Tensor, said_prob: Tensor) -> Tensor:
    """Relevance less the probability with which a class was named.

    Ours: a match alone makes a policy surer without end. This is half of the gradient of the Brier
    score, so its fixed point is the class probability that is true.

    Args:
        relevance: (B, G) in [0, 1].
        said_prob: (B, G) probability of the sampled class, of the policy that is shown.

    Returns:
        (B, G) in [-1, 1].
    """
    return relevance - said_prob


def normalize_rewards(rewards: Tensor, floor: float = 0.1) -> Tensor:
    """Divide by the largest reward among the responses to the same query.

    Source: arXiv:2501.01377, r / max(r).
    Ours: the divisor is at least `floor`, or four boxes that all but miss would look as good as
    four that fit, and 0 / 0 would be undefined; below -1 values are cut, since a reward measured
    against chance may be negative.

    Args:
        rewards: (B, G) of G responses to each of B queries, each in [-1, 1].
        floor: least divisor, > 0.

    Returns:
        (B, G) in [-1, 1], finite for G = 1 too; all zero where all rewards are.

    Raises:
        ValueError: if the floor is not above zero.
    """
    if not floor > 0:
        raise ValueError(f"the least divisor must be above zero, found {floor}")
    return (rewards / rewards.amax(-1, keepdim=True).clamp_min(floor)).clamp_min(-1.0)


def combine_rewards(
    earned: Mapping[str, Tensor], weights: Mapping[str, float], *, floor: float = 0.1
) -> Tensor:
    """Add the rewards of each response: those that are relative normalized per query.

    Args:
        earned: name in `REWARDS` -> (B, G) in [-1, 1]; what is not shown is left out.
        weights: of every reward; the paper adds them as they are.
        floor: as in `normalize_rewards`.

    Returns:
        (B, G) without gradient: a reward is a number, not a path to the policy.
    """
    parts = [
        weights[name] * (normalize_rewards(each, floor) if REWARDS[name].is_relative else each)
        for name, each in earned.items()
    ]
    return sum(parts, start=torch.zeros(())).detach()
