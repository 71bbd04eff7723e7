"""Query heads: what phase 2 trains of a retriever, apart from its frozen encoders.

Source: arXiv:2508.17394, q_h = (1 - m) f0(x) + m f_h(x). Ours: see `mixed_query`.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from jomed_app.types import Head

HEADS: tuple[Head, ...] = ("image", "text")


class MovedQueries(Protocol):
    """What phase 2 trains: heads that move the queries of a frozen retriever."""

    query_heads: nn.ModuleDict

    def embed_query(self, features: Tensor, head: Head, /) -> Tensor:
        """Frozen features (B, F) of queries -> unit rows (B, D) of one head, with gradients."""


def mixed_query(base: Tensor, head: nn.Module, mix: float) -> Tensor:
    """Move unit rows (B, D) by a head.

    Ours: `f_h` is `f0` followed by a residual linear map that starts at zero, and the mixture is
    renormalized; written in differences, so that a zero head, or m = 0, gives `base` bit by bit: a
    mixture of two equal rows would round.

    Args:
        base: `f0` of the queries.
        head: linear, (B, D) -> (B, D).
        mix: m in [0, 1].
    """
    still = functional.normalize(base, dim=-1)
    moved = functional.normalize(base + head(base), dim=-1)
    mixed = functional.normalize(base + mix * (moved - still), dim=-1)
    return base + (mixed - still)


def can_move(heads: nn.ModuleDict, mix: float) -> bool:
    """Whether any head can move a query: it is not all zero, and m is not 0."""
    return any(bool(weight.any()) for weight in heads.parameters()) and mix > 0


def zero_heads(dim: int) -> nn.ModuleDict:
    """A head for each search that leaves queries where they are."""
    heads = nn.ModuleDict({head: nn.Linear(dim, dim, bias=False) for head in HEADS})
    for weight in heads.parameters():
        torch.nn.init.zeros_(weight)
    return heads
