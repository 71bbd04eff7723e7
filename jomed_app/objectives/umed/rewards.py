"""The three rewards of a response; `reward_mix` normalizes and adds them.

A reward is a function here and a line in `REWARDS`; its weight is a field of
`config.localizer.RewardTuningConfig`.

Source: UMed-LVLM, arXiv:2501.01377: relevance, abnormal localization and vision relevance.
Ours: relevance is a class match and descriptor matches by a judge that can be replaced, without the
advantage that the paper adds to it (`ppo` computes that from the sum of the rewards, once); the
vision reward is measured against chance, since its printed formula has the same patches above and
below the line and is constant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from jomed_app.objectives.boxes.edges import box_iou


class Judge(Protocol):
    """Says how relevant a told word or phrase is to the true one; an LLM fits behind it."""

    def __call__(self, told: str, reference: str) -> float:
        """Return relevance in [0, 1]."""


@dataclass(frozen=True, slots=True)
class AliasJudge:
    """1 where both say the same, up to case and spacing, or are aliases of one name; else 0.

    Attributes:
        aliases: name -> other words for it; a word may stand under one name only.
    """

    aliases: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __call__(self, told: str, reference: str) -> float:
        """Return 0 or 1; nothing said matches nothing."""
        first, second = self._canonical(told), self._canonical(reference)
        return float(bool(first) and first == second)

    def _canonical(self, text: str) -> str:
        plain = _plain(text)
        for name, others in self.aliases.items():
            if plain in {_plain(word) for word in (name, *others)}:
                return _plain(name)
        return plain


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


@dataclass(frozen=True, slots=True)
class Statement:
    """What a response, or the truth, says: a class and the descriptors that are known."""

    label: str
    descriptors: Mapping[str, str] = field(default_factory=dict)


def relevance_reward(
    told: Sequence[Statement | None],
    reference: Sequence[Statement],
    judge: Judge | None = None,
    *,
    descriptor_weight: float = 0.25,
) -> Tensor:
    """How well responses say what is true.

    Source: arXiv:2501.01377; prompt and scale of its judge are not known to us.
    Ours: descriptors count only where the truth knows them; a right descriptor counts beside a
    wrong class too.

    Args:
        told: N statements; None for a response that could not be read, which earns 0.
        reference: N true statements.
        judge: compares words; None takes `AliasJudge()`.
        descriptor_weight: share of the reward that known descriptors decide, in [0, 1].

    Returns:
        (N,) in [0, 1]: (1 - w) class match + w mean descriptor match; the class match alone where
        the truth knows no descriptor.

    Raises:
        ValueError: if the lengths differ, or a judge leaves [0, 1].
    """
    if len(told) != len(reference):
        raise ValueError(
            f"each response needs one true statement, found {len(told)} and {len(reference)}"
        )
    compare = judge or AliasJudge()
    rewards = []
    for response, truth in zip(told, reference, strict=True):
        if response is None:
            rewards.append(0.0)
            continue
        match = compare(response.label, truth.label)
        values = [
            compare(response.descriptors.get(name, ""), value)
            for name, value in truth.descriptors.items()
        ]
        if not all(0.0 <= value <= 1.0 for value in (match, *values)):
            raise ValueError(f"a judge must answer in [0, 1], found {[match, *values]}")
        share = descriptor_weight if values else 0.0
        rewards.append((1 - share) * match + share * sum(values) / max(1, len(values)))
    return torch.tensor(rewards)


def localization_reward(
    predicted: Tensor, reference: Tensor, is_parsed: Tensor | None = None
) -> Tensor:
    """Mean IoU of a response's boxes with the true ones under the best one-to-one matching.

    Source: arXiv:2501.01377, IoU of one box.
    Ours: several boxes are matched optimally and averaged over the larger of both counts, so a
    superfluous box costs as much as a missing one; where both are empty the reward is 1; an
    inverted box overlaps nothing but counts.

    Args:
        predicted: (N, K, 4) XYXY, NaN rows for no box.
        reference: (N, M, 4) XYXY in the same unit, NaN rows for no box.
        is_parsed: (N,) False where the boxes could not be read, which earns 0; None: all could.

    Returns:
        (N,) in [0, 1].

    Raises:
        ValueError: if the shapes do not fit.
    """
    if (
        predicted.ndim != 3
        or reference.ndim != 3
        or len(predicted) != len(reference)
        or predicted.shape[-1] != 4
        or reference.shape[-1] != 4
    ):
        raise ValueError(
            "boxes must be (N, K, 4) and (N, M, 4), found "
            f"{tuple(predicted.shape)} and {tuple(reference.shape)}"
        )
    overlap = pairwise_iou(predicted, reference)
    total = overlap.new_zeros(len(overlap))
    if min(overlap.shape[1:]) == 1:
        total = overlap.flatten(1).amax(-1)
    elif min(overlap.shape[1:]) > 1:
        for place, each in enumerate(overlap):
            total[place] = each[linear_sum_assignment(each.cpu().numpy(), maximize=True)].sum()
    counts = torch.maximum(_count(predicted), _count(reference))
    rewards = torch.where(counts > 0, total / counts.clamp_min(1), 1.0)
    return rewards if is_parsed is None else rewards * is_parsed


def pairwise_iou(first: Tensor, second: Tensor) -> Tensor:
    """Return (N, K, M) IoU in [0, 1] of (N, K, 4) and (N, M, 4); NaN or inverted boxes give 0."""
    return box_iou(first[:, :, None], second[:, None]).nan_to_num(0.0)


def _count(boxes: Tensor) -> Tensor:
    """(N,) boxes that are there."""
    return (~boxes.isnan().any(-1)).sum(-1)


def vision_relevance_reward(
    attention: Tensor, region: Tensor, token_mask: Tensor | None = None
) -> Tensor:
    """Attention of a response's abnormality tokens to the abnormal patches, less chance.

    Source: arXiv:2501.01377; layers and heads are not told there.
    Ours: attention is normalized over all patches of the image (text keys dropped), averaged over
    whatever layers and heads are handed over, then over tokens; the region's share of the image is
    subtracted, so attending everywhere alike earns 0 for a large lesion and for a small one.

    Args:
        attention: (N, ..., T, P) >= 0 from T response tokens to P patches; layers and heads
            lie between.
        region: (N, P) share of each patch that is abnormal, in [0, 1].
        token_mask: (N, T) True for tokens of the abnormality; None: all are.

    Returns:
        (N,) in [-1, 1]; 0 without abnormality tokens or without a region.

    Raises:
        ValueError: if the shapes do not fit.
    """
    tokens = attention.shape[-2] if attention.ndim > 2 else 0
    mask = region.new_ones(len(region), tokens) if token_mask is None else token_mask.to(region)
    outer = (len(attention), attention.shape[-1])
    if not tokens or outer != region.shape or mask.shape != (len(region), tokens):
        raise ValueError(
            "attention (N, ..., T, P) must fit region (N, P) and token_mask (N, T), found "
            f"{tuple(attention.shape)}, {tuple(region.shape)} and {tuple(mask.shape)}"
        )
    total = attention.sum(-1, keepdim=True)
    share = torch.where(total > 0, attention / total.clamp_min(1e-30), 1 / attention.shape[-1])
    mean = share.flatten(1, -3).mean(1) if share.ndim > 3 else share
    inside = (mean * region[:, None]).sum(-1) - region.mean(-1, keepdim=True)
    return (inside * mask).sum(-1) / mask.sum(-1).clamp_min(1)


def box_coverage(boxes: Tensor, rows: int, columns: int) -> Tensor:
    """Return (N, rows * columns) share of every patch that a box covers, row by row, in [0, 1].

    Args:
        boxes: (N, 4) XYXY on the unit square, NaN for none, which covers nothing.
        rows: patches from top to bottom.
        columns: patches from left to right.
    """
    parts = []
    for low, high, count in ((1, 3, rows), (0, 2, columns)):
        starts = torch.arange(count, device=boxes.device) / count
        ends = torch.minimum(boxes[:, high, None], starts + 1 / count)
        parts.append((ends - torch.maximum(boxes[:, low, None], starts)).clamp_min(0) * count)
    share: Tensor = parts[0][:, :, None] * parts[1][:, None, :]
    return share.flatten(1).nan_to_num(0.0).clamp(0, 1)


@dataclass(frozen=True, slots=True)
class Responses:
    """G sampled responses to each of B queries, beside the truth: what a reward may look at.

    Attributes:
        relevance: (B, G) in [0, 1] of the class that is named.
        boxes: (B, G, 4) XYXY on the unit square, NaN where no finding is named.
        true_boxes: (B, 4) likewise, NaN where there is no finding.
        attention: (B, P) >= 0 from the finding's tokens to the P patches of a square grid, shared
            by the responses to a query; None where none is shown.
    """

    relevance: Tensor
    boxes: Tensor
    true_boxes: Tensor
    attention: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Reward:
    """One reward of the sum.

    Attributes:
        earned: (B, G) of all responses, each in [-1, 1]; None where they do not show it.
        is_relative: whether it is divided by the largest one that a query's responses earn.
    """

    earned: Callable[[Responses], Tensor | None]
    is_relative: bool = True


def _placed(told: Responses) -> Tensor:
    truth = told.true_boxes[:, None].expand_as(told.boxes)
    flat = localization_reward(told.boxes.reshape(-1, 1, 4), truth.reshape(-1, 1, 4))
    return flat.view(told.relevance.shape)


def _looked(told: Responses) -> Tensor | None:
    """Tells naming a finding from naming none, and nothing else, since attention is shared."""
    if told.attention is None:
        return None
    side = round(told.attention.shape[-1] ** 0.5)
    region = box_coverage(told.true_boxes, side, side)
    toward = vision_relevance_reward(told.attention[:, None], region)
    return toward[:, None] * ~told.boxes.isnan().any(-1)


REWARDS: Mapping[str, Reward] = {
    "relevance": Reward(lambda told: told.relevance, is_relative=False),
    "localization": Reward(_placed),
    "vision": Reward(_looked),
}
"""Name of a reward, as the configuration names its weight -> the reward."""
