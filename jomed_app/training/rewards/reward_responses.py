"""What sampled responses earn: the three rewards of every response to a batch of queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from jomed_app.config.localizer import RewardTuningConfig
from jomed_app.errors import ConfigError
from jomed_app.objectives.umed.reward_mix import (
    RewardWeights,
    combine_rewards,
    proper_relevance,
)
from jomed_app.objectives.umed.rewards import (
    Judge,
    Statement,
    box_coverage,
    localization_reward,
    relevance_reward,
    vision_relevance_reward,
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
    """Rewards (B, G) of rollouts; `vision` is None where the policy shows no attention."""

    relevance: Tensor
    localization: Tensor
    vision: Tensor | None
    total: Tensor


@torch.no_grad()
def reward_rollouts(
    rollouts: Rollouts,
    output: PolicyOutput,
    batch: QueryBatch,
    classes: ClassSet,
    config: RewardTuningConfig,
) -> Rewards:
    """Reward every response.

    The patches form a square grid. Responses to a query share its attention, since the policy's
    attention does not depend on what was sampled: the vision reward then tells naming a finding
    apart from naming none, and nothing else.
    """
    size = rollouts.classes.shape
    labels = batch.labels[:, None].expand(size)
    relevance = classes.agreement[rollouts.classes, labels.clamp_min(0)] * (labels >= 0)
    if config.relevance == "proper":
        said = (output.class_logits * config.temperature).softmax(-1)
        relevance = proper_relevance(relevance, said.gather(-1, rollouts.classes))
    boxes = response_boxes(rollouts, output.edge_logits.shape[-1])
    truth = batch.boxes[:, None].expand_as(boxes)
    localization = localization_reward(boxes.reshape(-1, 1, 4), truth.reshape(-1, 1, 4)).view(size)
    vision = None
    if output.attention is not None:
        side = round(output.attention.shape[-1] ** 0.5)
        region = box_coverage(batch.boxes, side, side)
        toward = vision_relevance_reward(output.attention[:, None], region)
        vision = toward[:, None] * rollouts.has_box
    weights = RewardWeights(
        config.relevance_weight, config.localization_weight, config.vision_weight
    )
    total = combine_rewards(
        relevance, localization, vision, weights=weights, floor=config.reward_floor
    )
    return Rewards(relevance, localization, vision, total)
