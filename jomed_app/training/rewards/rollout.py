"""Sampled responses of a location-token policy: a class token, then four location tokens a box.

Source: UMed-LVLM, arXiv:2501.01377: several responses to each query are sampled and rewarded.
Ours: the policy names the distribution of all five tokens in one forward, so a response is sampled
without a second one; tokens do not see each other. A class without a finding ends the response.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from jomed_app.objectives.umed.ppo import token_entropy

EDGES = 4


@dataclass(frozen=True, slots=True)
class PolicyOutput:
    """What a policy says of B queries.

    Attributes:
        edge_logits: (B, 4, L) of the location tokens x0, y0, x1, y1.
        class_logits: (B, C) of the class token.
        value: (B,) predicted return of a response.
        attention: (B, P) >= 0 from the finding's tokens to the image patches, averaged over the
            heads and layers that count; None where the policy shows none.
    """

    edge_logits: Tensor
    class_logits: Tensor
    value: Tensor
    attention: Tensor | None = None

    def tempered(self, temperature: float) -> PolicyOutput:
        """The same with all logits divided; what is sampled, and tuned, is this policy."""
        return PolicyOutput(
            self.edge_logits.float() / temperature,
            self.class_logits.float() / temperature,
            self.value.float(),
            self.attention,
        )

    def detached(self) -> PolicyOutput:
        """The same without gradient."""
        attention = None if self.attention is None else self.attention.detach()
        return PolicyOutput(
            self.edge_logits.detach(), self.class_logits.detach(), self.value.detach(), attention
        )


class Policy(Protocol):
    """A module that is tuned; its parameters lie in child modules, a child `critic` tells value."""

    def __call__(self, inputs: Tensor) -> PolicyOutput:
        """Answer B queries."""


@dataclass(frozen=True, slots=True)
class QueryBatch:
    """B queries with what is true of them.

    Attributes:
        inputs: (B, ...) what the policy is called with.
        labels: (B,) class index; -1 where it is not known, which earns no relevance.
        boxes: (B, 4) XYXY on the unit square, NaN for no finding.
    """

    inputs: Tensor
    labels: Tensor
    boxes: Tensor


class QuerySource(Protocol):
    """Draws queries to respond to."""

    def __call__(self, rng: np.random.Generator, count: int) -> QueryBatch:
        """Draw `count` queries; all randomness comes from `rng`."""


@dataclass(frozen=True, slots=True)
class Rollouts:
    """G responses to each of B queries, R = 5 tokens at most.

    Attributes:
        classes: (B, G) class index.
        bins: (B, G, 4) location bins, 0 where there is no box.
        keep_mask: (B, G, 5) True = a token of the response.
    """

    classes: Tensor
    bins: Tensor
    keep_mask: Tensor

    @property
    def has_box(self) -> Tensor:
        """(B, G) whether a response names a finding and therefore its box."""
        return self.keep_mask[..., -1]


def sample_rollouts(
    output: PolicyOutput,
    num_rollouts: int,
    empty_classes: Sequence[int],
    generator: torch.Generator,
) -> Rollouts:
    """Sample responses token by token.

    Args:
        output: of the tempered policy.
        num_rollouts: G >= 1.
        empty_classes: class indices without a finding, after which no box follows.
        generator: source of randomness.
    """
    classes = torch.multinomial(
        output.class_logits.detach().softmax(-1), num_rollouts, True, generator=generator
    )
    batch_size, _, num_bins = output.edge_logits.shape
    edges = output.edge_logits.detach().softmax(-1).view(-1, num_bins)
    drawn = torch.multinomial(edges, num_rollouts, True, generator=generator)
    bins = drawn.view(batch_size, EDGES, num_rollouts).transpose(1, 2)
    empty = torch.tensor(list(empty_classes), dtype=classes.dtype, device=classes.device)
    has_box = ~torch.isin(classes, empty)[..., None]
    keep_mask = torch.cat([torch.ones_like(has_box), has_box.expand(-1, -1, EDGES)], dim=-1)
    return Rollouts(classes, bins * has_box, keep_mask)


def token_log_prob(output: PolicyOutput, rollouts: Rollouts) -> Tensor:
    """Log-probability (B, G, 5) of every token, nats; 0 where a response has none.

    Their sum over tokens is that of the response.
    """
    classes = functional.log_softmax(output.class_logits, dim=-1).gather(-1, rollouts.classes)
    edges = functional.log_softmax(output.edge_logits, dim=-1)
    places = edges.gather(-1, rollouts.bins.transpose(1, 2)).transpose(1, 2)
    both = torch.cat([classes[..., None], places], dim=-1)
    return both.masked_fill(~rollouts.keep_mask, 0.0)


def response_entropy(output: PolicyOutput, rollouts: Rollouts) -> Tensor:
    """Entropy (B, G, 5) of the distribution that every token was drawn from, nats."""
    each = torch.cat(
        [token_entropy(output.class_logits)[:, None], token_entropy(output.edge_logits)], dim=-1
    )
    return each[:, None].expand_as(rollouts.keep_mask).masked_fill(~rollouts.keep_mask, 0.0)


def response_boxes(rollouts: Rollouts, num_bins: int) -> Tensor:
    """Boxes (B, G, 4) on the unit square, NaN where a response names no finding.

    Edges lie where `data.answers.bins_box` reads them, and where supervision put them: in the
    middle of their bins. Low behind high is left inverted: such a response cannot be read.
    """
    low, high = rollouts.bins.float().chunk(2, dim=-1)
    apart = (low == high) / 6
    boxes = torch.cat([low + 0.5 - apart, high + 0.5 + apart], dim=-1) / num_bins
    return boxes.masked_fill(~rollouts.has_box[..., None], torch.nan)


def greedy_rollout(output: PolicyOutput, empty_classes: Sequence[int]) -> Rollouts:
    """The response of the most probable tokens, as G = 1."""
    classes = output.class_logits.argmax(-1, keepdim=True)
    empty = torch.tensor(list(empty_classes), dtype=classes.dtype, device=classes.device)
    has_box = ~torch.isin(classes, empty)[..., None]
    keep_mask = torch.cat([torch.ones_like(has_box), has_box.expand(-1, -1, EDGES)], dim=-1)
    return Rollouts(classes, output.edge_logits.argmax(-1)[:, None] * has_box, keep_mask)
