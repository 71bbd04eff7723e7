"""Policy optimization over sampled responses: clipped surrogate, value, entropy, KL, advantages.

Source: PPO, arXiv:1707.06347; generalized advantages, arXiv:1506.02438; group-relative advantages,
arXiv:2402.03300. UMed-LVLM, arXiv:2501.01377, maximizes
L_clip + c1 r - c2 L_value + c3 entropy, where r is the reward.
Ours: r enters through the advantage alone, since a sampled reward as a term of its own has no
gradient; the advantage is not added to the reward that it is computed from; a KL to the policy that
tuning started from keeps what supervision taught; every token has its own ratio, and averages run
over all kept tokens of a batch, so a token of a short response weighs as much as one of a long.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

KlEstimator = Literal["k1", "k3"]
EPSILON = 1e-6


@dataclass(frozen=True, slots=True)
class Surrogate:
    """What the clipped surrogate amounts to.

    Attributes:
        value: scalar to maximize.
        clip_fraction: share of kept tokens whose gradient the clip stops, in [0, 1].
    """

    value: Tensor
    clip_fraction: Tensor


def masked_mean(values: Tensor, keep_mask: Tensor) -> Tensor:
    """Mean over kept places; 0 where none is kept.

    Args:
        values: any shape; what is not kept may hold anything, infinities too.
        keep_mask: True = counts, same shape.
    """
    return values.masked_fill(~keep_mask, 0.0).sum() / keep_mask.sum().clamp_min(1)


def clipped_surrogate(
    log_prob: Tensor,
    old_log_prob: Tensor,
    advantages: Tensor,
    keep_mask: Tensor,
    *,
    clip: float = 0.2,
) -> Surrogate:
    """Mean of min(ratio A, clip(ratio) A) over kept tokens; at ratio 1 it is their mean advantage.

    Source: arXiv:1707.06347, eq. 7.

    Args:
        log_prob: (N, R) of the tokens under the policy, nats.
        old_log_prob: (N, R) under the policy that sampled them, nats; a constant.
        advantages: (N,) of responses or (N, R) of tokens; constants.
        keep_mask: (N, R) True = a token of the response.
        clip: largest change of a ratio that pays, > 0.

    Raises:
        ValueError: if the shapes do not fit.
    """
    weight = advantages.detach()
    weight = weight[:, None].expand_as(log_prob) if weight.ndim == 1 else weight
    if not log_prob.shape == old_log_prob.shape == keep_mask.shape == weight.shape:
        raise ValueError(
            "log-probabilities, mask and advantages must fit (N, R), found "
            f"{[tuple(each.shape) for each in (log_prob, old_log_prob, keep_mask, weight)]}"
        )
    change = (log_prob - old_log_prob.detach()).masked_fill(~keep_mask, 0.0)
    ratio = change.exp()
    clipped = ratio.clamp(1 - clip, 1 + clip) * weight
    plain = ratio * weight
    return Surrogate(
        masked_mean(torch.minimum(plain, clipped), keep_mask),
        masked_mean((clipped < plain).float(), keep_mask).detach(),
    )


def value_loss(
    values: Tensor,
    returns: Tensor,
    old_values: Tensor | None = None,
    *,
    clip: float | None = None,
) -> Tensor:
    """Half the mean squared error of predicted returns; the worse of plain and clipped if clipped.

    Args:
        values: (N,) predicted.
        returns: (N,) reached; a constant.
        old_values: (N,) predicted when the responses were sampled; needed to clip.
        clip: largest change from the old value that counts; None does not clip.

    Returns:
        Scalar >= 0.

    Raises:
        ValueError: if `clip` is given without `old_values`.
    """
    target = returns.detach()
    error = (values - target).square()
    if clip is None:
        return 0.5 * error.mean()
    if old_values is None:
        raise ValueError("clipping the value loss requires old_values, found none")
    old = old_values.detach()
    near = old + (values - old).clamp(-clip, clip)
    return 0.5 * torch.maximum(error, (near - target).square()).mean()


def token_entropy(logits: Tensor) -> Tensor:
    """Entropy (...) of distributions (..., V), nats, in [0, ln V]; a logit of -inf is allowed."""
    log_prob = functional.log_softmax(logits, dim=-1)
    return -(log_prob.exp() * log_prob.masked_fill(log_prob == -torch.inf, 0.0)).sum(-1)


def kl_to_reference(
    log_prob: Tensor, reference_log_prob: Tensor, estimator: KlEstimator = "k3"
) -> Tensor:
    """Estimate KL(policy ‖ reference) from tokens that the policy sampled, token by token.

    Both are unbiased; k3 is never negative and varies less. The mean gradient of k1 is zero: take
    it to watch a run, not to train.

    Args:
        log_prob: (...) of the tokens under the policy, nats.
        reference_log_prob: (...) under the reference policy, nats; a constant.
        estimator: k1 = log(p/q), k3 = q/p - 1 - log(q/p).

    Returns:
        (...) nats.

    Raises:
        ValueError: if there is no such estimator.
    """
    change = reference_log_prob.detach() - log_prob
    if estimator == "k1":
        return -change
    if estimator == "k3":
        return change.expm1() - change
    raise ValueError(f"the estimator must be 'k1' or 'k3', found '{estimator}'")


def terminal_advantages(rewards: Tensor, values: Tensor) -> Tensor:
    """Advantages (...) of responses rewarded once, at their end: reward less predicted return."""
    return (rewards - values).detach()


def generalized_advantages(
    rewards: Tensor,
    values: Tensor,
    keep_mask: Tensor,
    *,
    discount: float = 1.0,
    decay: float = 0.95,
) -> tuple[Tensor, Tensor]:
    """Advantages of tokens by exponentially weighted temporal differences.

    Source: arXiv:1506.02438, eq. 16.

    Args:
        rewards: (N, R) paid after each token; a terminal reward stands at the last kept one.
        values: (N, R) predicted return before each token.
        keep_mask: (N, R) True = a token of the response; kept ones come first.
        discount: gamma in [0, 1].
        decay: lambda in [0, 1].

    Returns:
        (N, R) advantages and (N, R) returns to fit values to, both without gradient, 0 where not
        kept.
    """
    values = values.detach().masked_fill(~keep_mask, 0.0)
    rewards = rewards.detach().masked_fill(~keep_mask, 0.0)
    advantages = torch.zeros_like(values)
    following = torch.zeros_like(values[:, 0])
    for place in reversed(range(values.shape[1])):
        later = values[:, place + 1] if place + 1 < values.shape[1] else torch.zeros_like(following)
        difference = rewards[:, place] + discount * later - values[:, place]
        following = (difference + discount * decay * following) * keep_mask[:, place]
        advantages[:, place] = following
    return advantages, advantages + values


def group_relative_advantages(
    rewards: Tensor, *, scale: bool = True, keep_mask: Tensor | None = None
) -> Tensor:
    """Advantages of G responses to one query against each other; no value network.

    Source: arXiv:2402.03300, section 4.1.2. Ours: a group whose rewards are all equal, a single
    response too, has advantages 0.

    Args:
        rewards: (B, G).
        scale: divide by the group's standard deviation (over G, not G - 1).
        keep_mask: (B, G) True = takes part; the others have advantage 0. None: all do.

    Returns:
        (B, G) without gradient, each row with mean 0.
    """
    keep = torch.ones_like(rewards) if keep_mask is None else keep_mask.to(rewards)
    count = keep.sum(-1, keepdim=True).clamp_min(1)
    mean = (rewards * keep).sum(-1, keepdim=True) / count
    centered = ((rewards - mean) * keep).detach()
    if not scale:
        return centered
    deviation = (centered.square().sum(-1, keepdim=True) / count).sqrt()
    return torch.where(deviation > EPSILON, centered / deviation.clamp_min(EPSILON), 0.0)


def whiten(advantages: Tensor) -> Tensor:
    """Shift and scale advantages of a whole batch to mean 0 and deviation 1; 0 if all are equal."""
    return group_relative_advantages(advantages.flatten()[None]).view_as(advantages)
