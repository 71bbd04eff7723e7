"""Stage 3 of a policy, rewards: sample responses, reward them, move towards the better ones.

Source: UMed-LVLM, arXiv:2501.01377: PPO after supervised training, with rewards for relevance,
localization and vision relevance. Ours: see `objectives.ppo` and `objectives.rewards`; a
critic-free form beside PPO; dropout stays off, so that the ratio is 1 where a batch begins.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from jomed_app.config.localizer import RewardTuningConfig
from jomed_app.errors import ConfigError
from jomed_app.objectives.umed.ppo import (
    clipped_surrogate,
    group_relative_advantages,
    kl_to_reference,
    masked_mean,
    terminal_advantages,
    value_loss,
    whiten,
)
from jomed_app.objectives.umed.rewards import localization_reward
from jomed_app.progress import OnProgress
from jomed_app.training.rewards.reward_responses import ClassSet, Rewards, reward_rollouts
from jomed_app.training.rewards.rollout import (
    EDGES,
    Policy,
    PolicyOutput,
    QueryBatch,
    QuerySource,
    Rollouts,
    greedy_rollout,
    response_boxes,
    response_entropy,
    sample_rollouts,
    token_log_prob,
)
from jomed_app.training.run.loop import LoopSettings, no_progress, run_loop

CRITIC = "critic"  # the child module of a policy that tells the value
CHECKPOINT_BATCHES = 50


@dataclass(frozen=True, slots=True)
class _Collected:
    """A batch of rollouts and everything about it that stays constant while it is learned from."""

    number: int
    batch: QueryBatch
    rollouts: Rollouts
    rewards: Rewards
    old_log_prob: Tensor
    old_value: Tensor
    reference_log_prob: Tensor
    advantages: Tensor


def tune_with_rewards(
    policy: nn.Module,
    queries: QuerySource,
    classes: ClassSet,
    config: RewardTuningConfig,
    out: Path,
    *,
    resume: bool = False,
    on_progress: OnProgress = no_progress,
) -> list[dict[str, float]]:
    """Tune a policy in place.

    Args:
        policy: a `Policy` whose parameters all lie in child modules, supervised beforehand; it is
            also the reference that the KL holds on to, so a resumed run starts from the same one.
        queries: draws them.
        classes: of the class token.
        config: see `RewardTuningConfig`.
        out: checkpoint folder.
        resume: continue from its checkpoint.
        on_progress: called after every optimizer step.

    Returns:
        The log of the steps run now: `reward` and each reward by its name (means over responses),
        `kl` and `entropy` per token (nats), `clip_fraction`, and the loss.

    Raises:
        ConfigError: if `group` is given fewer than two rollouts.
        ValueError: if the policy holds parameters outside its children.
    """
    if config.algorithm == "group" and config.rollouts < 2:
        raise ConfigError(
            f"the algorithm 'group' requires 2 rollouts or more, found {config.rollouts}"
        )
    if own := [name for name, _ in policy.named_parameters(recurse=False)]:
        raise ValueError(f"a policy's parameters must lie in child modules, found {own}")
    policy.eval()
    reference = copy.deepcopy(policy).requires_grad_(False)
    held: _Collected | None = None

    def step_loss(step: int) -> Mapping[str, Tensor]:
        nonlocal held
        number = step // config.updates
        if held is None or held.number != number:
            batch = queries(np.random.default_rng([config.seed, number]), config.batch_size)
            output = _respond(policy, batch, config)
            held = _collect(number, batch, output.detached(), reference, classes, config)
        else:
            output = _respond(policy, held.batch, config)
        return _loss_terms(output, held, config)

    return run_loop(
        dict(policy.named_children()),
        step_loss,
        LoopSettings(
            config.steps * config.updates,
            config.lr,
            weight_decay=0.0,
            average=config.average,
            checkpoint_every=CHECKPOINT_BATCHES * config.updates,
        ),
        out,
        resume=resume,
        on_progress=on_progress,
        lr_factors={CRITIC: config.critic_lr_factor},
    )


def _respond(policy: Policy, batch: QueryBatch, config: RewardTuningConfig) -> PolicyOutput:
    return policy(batch.inputs).tempered(config.temperature)


@torch.no_grad()
def _collect(
    number: int,
    batch: QueryBatch,
    output: PolicyOutput,
    reference: Policy,
    classes: ClassSet,
    config: RewardTuningConfig,
) -> _Collected:
    """Sample, reward and compare a batch; its randomness derives from its number."""
    generator = torch.Generator().manual_seed(
        int(np.random.default_rng([config.seed, number, 17]).integers(2**62))
    )
    rollouts = sample_rollouts(output, config.rollouts, classes.empty, generator)
    rewards = reward_rollouts(rollouts, output, batch, classes, config)
    if config.algorithm == "group":
        advantages = _group_advantages(rewards, rollouts, config)
    else:
        advantages = whiten(terminal_advantages(rewards.total, output.value[:, None]))
    return _Collected(
        number,
        batch,
        rollouts,
        rewards,
        token_log_prob(output, rollouts),
        output.value,
        token_log_prob(_respond(reference, batch, config), rollouts),
        advantages,
    )


def _group_advantages(rewards: Rewards, rollouts: Rollouts, config: RewardTuningConfig) -> Tensor:
    """(B, G) of responses or, with credit by token, (B, G, 5)."""
    scale = config.scale_advantages
    whole = group_relative_advantages(rewards.total, scale=scale)
    if config.credit == "response":
        return whole
    earned = rewards.earned["localization"]
    boxes = group_relative_advantages(earned, scale=scale, keep_mask=rollouts.has_box)
    return torch.stack([whole, *[boxes * config.localization_weight] * EDGES], dim=-1)


def _loss_terms(
    output: PolicyOutput, held: _Collected, config: RewardTuningConfig
) -> dict[str, Tensor]:
    keep_mask = held.rollouts.keep_mask
    log_prob = token_log_prob(output, held.rollouts)
    surrogate = clipped_surrogate(
        log_prob.flatten(0, 1),
        held.old_log_prob.flatten(0, 1),
        held.advantages.flatten(0, 1),
        keep_mask.flatten(0, 1),
        clip=config.clip,
    )
    kl = masked_mean(kl_to_reference(log_prob, held.reference_log_prob), keep_mask)
    entropy = masked_mean(response_entropy(output, held.rollouts), keep_mask)
    loss = config.kl_weight * kl - config.entropy_weight * entropy - surrogate.value
    terms = {"kl": kl, "entropy": entropy, "clip_fraction": surrogate.clip_fraction}
    if config.algorithm == "ppo":
        fit = value_loss(output.value, held.rewards.total.mean(-1), held.old_value)
        loss = loss + config.value_weight * fit
        terms["value_loss"] = fit
    terms |= {name: each.mean() for name, each in held.rewards.earned.items()}
    return {"loss": loss, **terms, "reward": held.rewards.total.mean()}


@torch.no_grad()
def greedy_localization(policy: Policy, batch: QueryBatch, classes: ClassSet) -> float:
    """Mean localization reward in [0, 1] of the most probable responses, to watch held-out cases.

    On cases with one true box each this is their mean IoU.
    """
    output = policy(batch.inputs)
    rollouts = greedy_rollout(output, classes.empty)
    boxes = response_boxes(rollouts, output.edge_logits.shape[-1])
    return float(localization_reward(boxes, batch.boxes[:, None]).mean())
