"""The localizer as a policy on kept patch tokens, for tuning with rewards.

Ours: UMed-LVLM tunes the reader itself; here boxes come from the localizer, whose edges are
distributions over the reader's own location bins, so its answer is a response of the same form:
a class token (finding or none), then four location tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from jomed_app.data.records import CaseRecord
from jomed_app.data.tasks import Task
from jomed_app.models.localizer import Localizer
from jomed_app.objectives.rewards import Judge
from jomed_app.training.localize import ViewTokens
from jomed_app.training.rewards import ClassSet, class_set
from jomed_app.training.rollout import PolicyOutput, QueryBatch

CRITIC_WIDTH = 64
NOTHING = "nothing"  # the class of the localizer without a finding


class LocalizerPolicy(nn.Module):
    """A localizer with a value network beside it, which reads the mean patch token.

    Presence is a class token of two values: nothing, or the finding. The critic predicts 0 until
    it has learned. Localizers show no attention, so there is no vision reward.
    """

    def __init__(self, localizer: Localizer) -> None:
        super().__init__()
        size = localizer.config.token_size
        last = nn.Linear(CRITIC_WIDTH, 1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.localizer = localizer
        self.critic = nn.Sequential(
            nn.LayerNorm(size), nn.Linear(size, CRITIC_WIDTH), nn.GELU(), last
        )

    def forward(self, tokens: Tensor) -> PolicyOutput:
        """Answer queries told by their (B, P, token_size) patch tokens."""
        edges, presence = self.localizer(tokens)
        classes = torch.stack([torch.zeros_like(presence), presence], dim=-1)
        value = self.critic(tokens.float().mean(1))[:, 0]
        return PolicyOutput(edges, classes, value)


@dataclass(frozen=True, slots=True)
class ViewQueries:
    """Draws views of cases; one that lost its finding's box is replaced by the image itself.

    Attributes:
        views: tokens and boxes of all rows of the table.
        labels: (N,) class index of every row of the table.
        rows: rows to draw from.
    """

    views: ViewTokens
    labels: Tensor
    rows: NDArray[np.int64]

    def __call__(self, rng: np.random.Generator, count: int) -> QueryBatch:
        """Draw `count` views, with replacement."""
        chosen = torch.from_numpy(rng.choice(self.rows, size=count))
        view = torch.from_numpy(rng.integers(len(self.views.tokens), size=count))
        lost = self.views.boxes[view, chosen].isnan().any(-1)
        view = torch.where(lost, 0, view)
        return self._batch(view, chosen)

    def unchanged(self) -> QueryBatch:
        """Every row once, as it is."""
        chosen = torch.from_numpy(self.rows)
        return self._batch(torch.zeros_like(chosen), chosen)

    def _batch(self, view: Tensor, chosen: Tensor) -> QueryBatch:
        return QueryBatch(
            self.views.tokens[view, chosen].float(),
            self.labels[chosen],
            self.views.boxes[view, chosen],
        )


def rewarded_rows(rows: NDArray[np.int64], labels: Tensor, boxes: Tensor) -> NDArray[np.int64]:
    """Leave out cases with a finding whose box was never drawn: no response could be rewarded.

    Args:
        rows: rows of the table.
        labels: (N,) 0 for nothing, above for a finding.
        boxes: (N, 4) of the unchanged images, NaN for none.
    """
    known = (labels == 0) | ~boxes.isnan().any(-1)
    kept: NDArray[np.int64] = rows[known.numpy()[rows]]
    return kept


def presence_labels(task: Task, records: Sequence[CaseRecord]) -> Tensor:
    """(N,) 0 for a case without a finding, 1 for one with."""
    return torch.tensor([record.label not in task.empty_labels for record in records]).long()


def presence_classes(task: Task, judge: Judge | None = None) -> ClassSet:
    """The localizer's two classes, index by index as `presence_labels` has them."""
    return class_set((NOTHING, task.finding), (NOTHING,), judge)
