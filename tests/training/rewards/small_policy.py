"""A linear policy over drawn features that all but spell out a class and a box."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from jomed_app.training.rewards.reward_responses import class_set
from jomed_app.training.rewards.rollout import PolicyOutput, QueryBatch

BINS = 8
PATCHES = 16
CLASSES = class_set(("none", "benign", "malignant"), ("none",))
NUM_FEATURES = 3 + 4 * BINS


class SmallPolicy(nn.Module):
    """Linear logits and value; attention, if shown, is the same everywhere."""

    def __init__(self, *, shows_attention: bool = False) -> None:
        super().__init__()
        self.head = nn.Linear(NUM_FEATURES, 3 + 4 * BINS)
        self.critic = nn.Linear(NUM_FEATURES, 1)
        self.shows_attention = shows_attention
        for each in (self.head, self.critic):
            nn.init.zeros_(each.weight)
            nn.init.zeros_(each.bias)

    def forward(self, inputs: torch.Tensor) -> PolicyOutput:
        logits = self.head(inputs)
        attention = torch.ones(len(inputs), PATCHES) if self.shows_attention else None
        edges = logits[:, 3:].view(-1, 4, BINS)
        return PolicyOutput(edges, logits[:, :3], self.critic(inputs)[:, 0], attention)


def drawn_queries(count: int, seed: int) -> QueryBatch:
    """Queries whose features are one-hot codes of class and bins; no class, no box."""
    rng = np.random.default_rng(seed)
    labels = torch.from_numpy(rng.integers(3, size=count))
    low, size = rng.integers(0, 4, (count, 2)), rng.integers(1, 4, (count, 2))
    bins = torch.from_numpy(np.concatenate([low, low + size], axis=1))
    codes = [functional.one_hot(labels, 3), functional.one_hot(bins, BINS).flatten(1)]
    boxes = (bins + 0.5) / BINS
    boxes[labels == 0] = torch.nan
    return QueryBatch(torch.cat(codes, dim=-1).float(), labels, boxes)


def take(queries: QueryBatch, rows: torch.Tensor) -> QueryBatch:
    return QueryBatch(queries.inputs[rows], queries.labels[rows], queries.boxes[rows])


def source_of(queries: QueryBatch):
    """Draws some of them with replacement."""

    def draw(rng: np.random.Generator, count: int) -> QueryBatch:
        return take(queries, torch.from_numpy(rng.choice(len(queries.labels), size=count)))

    return draw
