"""The localizer as a policy on kept maps, for tuning with rewards.

Ours: UMed-LVLM tunes the reader itself; here boxes come from the localizer, whose edges are
distributions over the reader's own location bins, so its answer is a response of the same form:
a class token, then four location tokens. The attention that the vision reward looks at is that of
the class query; it depends on the query alone, not on what was sampled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from jomed_app.models.localizer import EARLY_STAGE, Localizer
from jomed_app.models.vision_tower import EfficientNetLiteConfig
from jomed_app.training.kept_cases import KeptCases
from jomed_app.training.rollout import PolicyOutput, QueryBatch

CRITIC_WIDTH = 64


class LocalizerPolicy(nn.Module):
    """A localizer with a value network beside it, which reads the mean of the kept map.

    The critic predicts 0 until it has learned. The localizer's early stages take no part: queries
    are told by what they made of the image.
    """

    def __init__(self, localizer: Localizer) -> None:
        super().__init__()
        tower = EfficientNetLiteConfig(width=localizer.config.tower_width)
        size = tower.stage_channels[EARLY_STAGE]
        last = nn.Linear(CRITIC_WIDTH, 1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.localizer = localizer
        self.critic = nn.Sequential(
            nn.LayerNorm(size), nn.Linear(size, CRITIC_WIDTH), nn.GELU(), last
        )

    def forward(self, maps: Tensor) -> PolicyOutput:
        """Answer queries told by their (B, C8, S/8, S/8) maps."""
        said = self.localizer(maps)
        value = self.critic(maps.float().mean((2, 3)))[:, 0]
        return PolicyOutput(said.edge_logits, said.class_logits, value, said.attention)


@dataclass(frozen=True, slots=True)
class ViewQueries:
    """Draws views of cases; one that lost its finding's box is replaced by the image itself.

    Attributes:
        cases: kept views; the largest box of a case is the one that is asked for.
        rows: cases to draw from.
    """

    cases: KeptCases
    rows: NDArray[np.int64]

    def __call__(self, rng: np.random.Generator, count: int) -> QueryBatch:
        """Draw `count` views, with replacement."""
        chosen = torch.from_numpy(rng.choice(self.rows, size=count))
        view = torch.from_numpy(rng.integers(len(self.cases.maps), size=count))
        lost = self.cases.boxes[view, chosen, 0].isnan().any(-1)
        return self._batch(torch.where(lost, 0, view), chosen)

    def unchanged(self) -> QueryBatch:
        """Every row once, as it is."""
        chosen = torch.from_numpy(self.rows)
        return self._batch(torch.zeros_like(chosen), chosen)

    def _batch(self, view: Tensor, chosen: Tensor) -> QueryBatch:
        cases = self.cases
        maps, boxes = cases.maps[view, chosen].float(), cases.boxes[view, chosen, 0]
        return QueryBatch(maps, cases.labels[chosen], boxes)


def rewarded_rows(
    cases: KeptCases, rows: NDArray[np.int64], empty: tuple[int, ...]
) -> NDArray[np.int64]:
    """Leave out cases with a finding whose box was never drawn: no response could be rewarded.

    Args:
        cases: kept views.
        rows: cases to choose among.
        empty: labels without a finding.
    """
    has_box = ~cases.boxes[0, :, 0].isnan().any(-1)
    known = has_box | torch.isin(cases.labels, torch.tensor(empty, dtype=torch.long))
    kept: NDArray[np.int64] = rows[known.numpy()[rows]]
    return kept
