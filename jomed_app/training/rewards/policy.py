"""The localizer as a policy that is tuned with rewards: its queries, over maps made once.

Ours: the map, and the dense head whose boxes are the queries' prior, stay as supervision left them.
Tuned along, they drift away from what the prior was worth, and boxes of held-out lesions get worse
(measured, docs/adr/0006). So a step costs the queries alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from jomed_app.models.localizer.localizer import Localizer, ask_map
from jomed_app.models.number_type import autocast
from jomed_app.progress import OnProgress
from jomed_app.training.localizer.kept_views import KeptCases
from jomed_app.training.rewards.rollout import PolicyOutput, QueryBatch
from jomed_app.training.run.loop import no_progress

CRITIC_WIDTH = 64
DENSE_CHANNELS = 5  # behind a map's own: the dense head's score and box of every cell
BATCH_SIZE = 16


class LocalizerPolicy(nn.Module):
    """A localizer's queries, with a value network beside them that reads the mean of the map.

    The critic predicts 0 until it has learned. The queries are the localizer's own, so tuning the
    policy tunes the localizer.
    """

    def __init__(self, localizer: Localizer) -> None:
        super().__init__()
        width = localizer.config.width
        last = nn.Linear(CRITIC_WIDTH, 1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.shape = localizer.config
        self.queries = localizer.queries
        self.critic = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, CRITIC_WIDTH), nn.GELU(), last
        )

    def forward(self, inputs: Tensor) -> PolicyOutput:
        """Answer queries told by (B, width + 5, h, w), see `see_cases`."""
        joined, dense = inputs.float().split([self.shape.width, DENSE_CHANNELS], dim=1)
        cells = dense.flatten(2).transpose(1, 2)
        asked = ask_map(self.queries, self.shape, joined, cells[..., 0], cells[..., 1:])
        value = self.critic(joined.mean((2, 3)))[:, 0]
        return PolicyOutput(asked[0], asked[1], value, asked[2])


@torch.no_grad()
def see_cases(
    localizer: Localizer, cases: KeptCases, *, on_progress: OnProgress = no_progress
) -> KeptCases:
    """Make the maps that a localizer's queries ask, and the dense head's answers behind them.

    Args:
        localizer: stays as it is.
        cases: kept start maps.
        on_progress: called after every batch.

    Returns:
        The same cases with maps (V, N, width + 5, h, w), fp16.
    """
    views, count = cases.maps.shape[:2]
    size, grid = localizer.config.width + DENSE_CHANNELS, localizer.grid
    maps = torch.empty(views, count, size, grid, grid, dtype=torch.float16)
    for view in range(views):
        for start in range(0, count, BATCH_SIZE):
            rows = slice(start, min(start + BATCH_SIZE, count))
            early = cases.maps[view, rows].float().contiguous(memory_format=torch.channels_last)
            with autocast():
                joined = localizer.join_maps(early)
                dense = localizer.dense(joined)
            cells = torch.cat([dense.scores[..., None].float(), dense.boxes.float()], dim=-1)
            behind = cells.transpose(1, 2).unflatten(2, (grid, grid))
            maps[view, rows] = torch.cat([joined.float(), behind], dim=1).to(torch.float16)
            on_progress(view * count + rows.stop, views * count)
    return KeptCases(maps, cases.boxes, cases.labels)


@dataclass(frozen=True, slots=True)
class ViewQueries:
    """Draws views of cases; one that lost its finding's box is replaced by the image itself.

    Attributes:
        cases: seen views; the largest box of a case is the one that is asked for.
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
