"""What sampled responses earn: every reward of every response to a batch of queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from jomed_app.config.localizer import RewardTuningConfig
from jomed_app.errors import ConfigError
from jomed_app.objectives.umed.reward_mix import combine_rewards, proper_relevance
from jomed_app.objectives.umed.rewards import (
    REWARDS,
    Judge,
    Responses,
    Statement,
    relevance_reward,
)
from jomed_app.training.rewards.rollout import PolicyOutput, QueryBatch, Rollouts, response_boxes


@dataclass(frozen=True, slots=True)
class ClassSet:
    """The classes of a policy's class token.

    Attributes:
        names: C names.
        empty: indices of classes without a finding.
        agreement: (C, C) relevance of telling the row's class where the column's is true.
    """

    names: Sequence[str]
    empty: tuple[int, ...]
    agreement: Tensor


def class_set(
    names: Sequence[str], empty_names: Sequence[str], judge: Judge | None = None
) -> ClassSet:
    """Ask the judge once about every pair of classes.

    Raises:
        ConfigError: if an empty class is not among the classes.
    """
    if missing := set(empty_names) - set(names):
        raise ConfigError(f"classes without a finding must be among {list(names)}, found {missing}")
    told = [Statement(name) for name in names for _ in names]
    true = [Statement(name) for _ in names for name in names]
    agreement = relevance_reward(told, true, judge).view(len(names), len(names))
    return ClassSet(names, tuple(names.index(name) for name in empty_names), agreement)


@dataclass(frozen=True, slots=True)
class Rewards:
    """Rewards (B, G) of rollouts.

    Attributes:
        earned: by name, before normalization; `localization` is the IoU, and a reward that the
            policy does not show (`vision` without attention) is left out.
        total: their weighted sum.
    """

    earned: Mapping[str, Tensor]
    total: Tensor


@torch.no_grad()
def reward_rollouts(
    rollouts: Rollouts,
    output: PolicyOutput,
    batch: QueryBatch,
    classes: ClassSet,
    config: RewardTuningConfig,
) -> Rewards:
    """Reward every response."""
    labels = batch.labels[:, None].expand(rollouts.classes.shape)
    relevance = classes.agreement[rollouts.classes, labels.clamp_min(0)] * (labels >= 0)
    boxes = response_boxes(rollouts, output.edge_logits.shape[-1])
    told = Responses(relevance, boxes, batch.boxes, output.attention)
    shown = {name: reward.earned(told) for name, reward in REWARDS.items()}
    earned = {name: each for name, each in shown.items() if each is not None}
    if config.relevance == "proper":
        said = (output.class_logits * config.temperature).softmax(-1)
        earned["relevance"] = proper_relevance(relevance, said.gather(-1, rollouts.classes))
    total = combine_rewards(earned, config.weights, floor=config.reward_floor)
    return Rewards(earned, total)
