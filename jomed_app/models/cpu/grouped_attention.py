"""Attention for grouped heads without copying keys and values to every query head.

Ours: on a CPU, PyTorch's fused attention with a mask takes half as long again as these two matrix
products, since grouped keys and values are repeated first. Registered with transformers under a
name, so that any model that takes `attn_implementation` can run it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface

NAME = "grouped"


def grouped_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attend; same meaning as transformers' `sdpa` with a mask that is given.

    Args:
        module: the attention layer; unused.
        query: (B, A, Q, D); key, value: (B, G, T, D), A a multiple of G.
        key: see `query`.
        value: see `query`.
        attention_mask: (B or 1, 1, Q, T), True or 0 where a token may look, else False or -inf;
            every query must be let look somewhere.
        scaling: of the products; None is 1 / sqrt(D).
        dropout: must be 0; this is for inference.

    Returns:
        (B, Q, A, D) and no weights.

    Raises:
        ValueError: if no mask is given, or dropout is asked for.
    """
    if attention_mask is None or dropout:
        raise ValueError("grouped attention requires a mask and no dropout; use 'sdpa' instead")
    batch, heads, length, width = query.shape
    groups, total = key.shape[1:3]
    scaled = query * (width**-0.5 if scaling is None else scaling)
    folded = scaled.reshape(batch, groups, heads // groups * length, width)
    scores = torch.matmul(folded, key.transpose(2, 3)).view(batch, heads, length, total)
    if attention_mask.dtype is torch.bool:
        scores.masked_fill_(~attention_mask, -torch.inf)
    else:
        scores += attention_mask
    shares = torch.softmax(scores, dim=-1)  # sums in float32 inside, whatever the type
    mixed = torch.matmul(shares.view(batch, groups, heads // groups * length, total), value)
    return mixed.view(batch, heads, length, width).transpose(1, 2), None


def register_grouped_attention() -> None:
    """Make transformers know it; safe to call again."""
    AttentionInterface.register(NAME, grouped_attention)
