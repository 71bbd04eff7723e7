"""How the rewards of the responses to one query become one number each.

Source: UMed-LVLM, arXiv:2501.01377: localization and vision relevance are divided by the largest
value among the responses to the same query, then all three are added.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


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


@dataclass(frozen=True, slots=True)
class RewardWeights:
    """Weights of the three rewards; the paper adds them as they are."""

    relevance: float = 1.0
    localization: float = 1.0
    vision: float = 1.0


def combine_rewards(
    relevance: Tensor,
    localization: Tensor,
    vision: Tensor | None = None,
    *,
    weights: RewardWeights | None = None,
    floor: float = 0.1,
) -> Tensor:
    """Add the rewards of each response: relevance plain, the other two normalized per query.

    Args:
        relevance: (B, G) in [0, 1].
        localization: (B, G) in [0, 1].
        vision: (B, G) in [-1, 1]; None where the policy shows no attention.
        weights: of the three.
        floor: as in `normalize_rewards`.

    Returns:
        (B, G) without gradient: a reward is a number, not a path to the policy.
    """
    mix = weights or RewardWeights()
    total = mix.relevance * relevance + mix.localization * normalize_rewards(localization, floor)
    if vision is not None:
        total = total + mix.vision * normalize_rewards(vision, floor)
    return total.detach()
