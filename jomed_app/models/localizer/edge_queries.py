"""Location queries: four edges and the class ask the map, each answers in its own vocabulary.

An edge answers with a distribution over the location bins that the reader's location tokens stand
for. Ours: a bin is scored by what the map shows in its column (x edges) or row (y edges) as well
as by the query alone, and the dense head's boxes are a prior, so that the bins need little data.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from jomed_app.models.towers.tokens import sine_cosine_positions

EDGES = 4  # in the order x0, y0, x1, y1


class EdgeQueries(nn.Module):
    """Edge and class queries over a map.

    Args:
        width: channels of the map, a multiple of 8 and of `num_heads`.
        num_labels: classes.
        bins: location bins.
        num_layers: rounds of asking; num_heads: of each.
    """

    def __init__(
        self, width: int, num_labels: int, bins: int, num_layers: int, num_heads: int = 4
    ) -> None:
        super().__init__()
        self.bins = bins
        self.queries = nn.Parameter(torch.zeros(EDGES + 1, width))
        self.place = nn.Linear(width, width)
        self.rounds = nn.ModuleList(_Round(width, num_heads) for _ in range(num_layers))
        self.leave = nn.LayerNorm(width)
        self.line_weight = nn.Linear(width, 2)
        self.line_keys = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(width, width, 3, padding=1),
                nn.SiLU(),
                nn.Conv1d(width, width, 3, padding=1),
            )
            for _ in range(2)
        )
        self.edges = nn.Linear(width, bins)
        self.prior_weight = nn.Parameter(torch.tensor(1.0))
        self.classes = nn.Linear(2 * width, num_labels)

    def forward(
        self, neck: Tensor, scores: Tensor, prior: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Ask.

        Args:
            neck: (B, width, h, w), h == w.
            scores: (B, h * w) logits of the dense head, which guide where queries look.
            prior: (B, 4, bins) log-probabilities of the dense head's boxes, or None.

        Returns:
            (B, 4, bins) edge logits, (B, C) class logits and (B, h * w) attention of the class
            query, each row summing to 1.
        """
        side = neck.shape[-1]
        width = neck.shape[1]
        place = sine_cosine_positions(side, width).to(neck.device, neck.dtype)
        keys = neck.flatten(2).transpose(1, 2)
        keyed = keys + self.place(place)
        hidden = self.queries.expand(len(neck), -1, -1)
        attention = hidden
        for each in self.rounds:
            hidden, attention = each(hidden, keyed, keys, scores)
        hidden = self.leave(hidden)
        edges = self.edges(hidden[:, :EDGES]) + self._point(neck, scores, hidden[:, :EDGES])
        edges = edges.float()
        if prior is not None:
            edges = edges + self.prior_weight * prior
        seen = torch.cat([hidden[:, EDGES], neck.mean((2, 3)).to(hidden.dtype)], dim=-1)
        return edges, self.classes(seen).float(), attention[:, EDGES].float()

    def _point(self, neck: Tensor, scores: Tensor, queries: Tensor) -> Tensor:
        """Score every bin by the column or row of the map that it lies in, (B, 4, bins)."""
        weights = self.line_weight(neck.flatten(2).transpose(1, 2)).float() + scores[..., None]
        weights = weights.unflatten(1, neck.shape[-2:])
        logits = []
        for axis, keys in enumerate(self.line_keys):
            share = weights[..., axis].softmax(1 + axis)[:, None].to(neck.dtype)
            line = (neck * share).sum(2 + axis)
            fine = functional.interpolate(line.float(), size=self.bins, mode="linear").to(
                line.dtype
            )
            mine = queries[:, axis::2]
            logits.append(mine @ keys(fine) / math.sqrt(neck.shape[1]))
        x, y = logits
        return torch.stack([x[:, 0], y[:, 0], x[:, 1], y[:, 1]], dim=1)


class _Round(nn.Module):
    """Queries hear each other, look at the map, and think."""

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.hear = nn.MultiheadAttention(width, num_heads, batch_first=True)
        self.ask, self.offer, self.show = (nn.Linear(width, width) for _ in range(3))
        self.take = nn.Linear(width, width)
        self.think = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(0.1), nn.Linear(2 * width, width)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.score_weight = nn.Parameter(torch.full((num_heads, 1, 1), 0.5))
        self.num_heads = num_heads

    def forward(
        self, hidden: Tensor, keys: Tensor, values: Tensor, scores: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the queries and where they looked, (B, Q, P)."""
        heard = self.norms[0](hidden)
        hidden = hidden + self.hear(heard, heard, heard, need_weights=False)[0]
        asked = self._split(self.ask(self.norms[1](hidden)))
        affinity = (
            asked @ self._split(self.offer(keys)).transpose(2, 3) / math.sqrt(asked.shape[-1])
        )
        guided = affinity.float() + self.score_weight * scores[:, None, None]
        attention = guided.softmax(-1)
        seen = attention.to(asked.dtype) @ self._split(self.show(values)).to(asked.dtype)
        hidden = hidden + self.take(seen.transpose(1, 2).flatten(2))
        return hidden + self.think(self.norms[2](hidden)), attention.mean(1)

    def _split(self, rows: Tensor) -> Tensor:
        split: Tensor = rows.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
        return split
