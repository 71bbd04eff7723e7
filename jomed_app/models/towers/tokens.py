"""What can be said of a tower's tokens by its shape alone, whatever the tower is.

A tower's tokens (B, T, C) are `num_leading` tokens of the whole image (a class token), then the
patch tokens, row by row. A patch token's last `position_dim` channels tell its place, not what is
seen there.
"""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor


class TokenShape(Protocol):
    """The part of a tower's configuration that its tokens are understood by."""

    @property
    def hidden_size(self) -> int:
        """Width of a token."""

    @property
    def num_leading(self) -> int:
        """Tokens of the whole image in front of the patch tokens."""

    @property
    def position_dim(self) -> int:
        """Channels at the end of a patch token that tell its place."""


def pooled_size(shape: TokenShape) -> int:
    """Width of what `pool_tokens` returns."""
    return shape.num_leading * shape.hidden_size + shape.hidden_size - shape.position_dim


def pool_tokens(tokens: Tensor, shape: TokenShape) -> Tensor:
    """Sum an image up: its leading tokens, then the mean of its patch tokens without their place.

    Args:
        tokens: (B, T, C), leading tokens first.
        shape: of the tower that made them.

    Returns:
        (B, F) fp32, F as `pooled_size` says.
    """
    mean = patch_tokens(tokens, shape).float().mean(1)
    mean = mean[:, : mean.shape[-1] - shape.position_dim]
    if not shape.num_leading:
        return mean
    return torch.cat([tokens[:, : shape.num_leading].float().flatten(1), mean], dim=-1)


def patch_tokens(tokens: Tensor, shape: TokenShape) -> Tensor:
    """The patch tokens (..., P, C) among all tokens (..., T, C)."""
    return tokens[..., shape.num_leading :, :]


def sine_cosine_positions(grid: int, dim: int) -> Tensor:
    """Return (grid*grid, dim) sine-cosine codes of the cell centers, row by row, in [-1, 1]."""
    centers = (torch.arange(grid, dtype=torch.float32) + 0.5) / grid
    frequencies = math.pi * 2.0 ** torch.arange(dim // 4, dtype=torch.float32)
    angles = centers[:, None] * frequencies[None]
    axis = torch.cat([angles.sin(), angles.cos()], dim=-1)
    rows = axis[:, None, :].expand(grid, grid, -1)
    columns = axis[None, :, :].expand(grid, grid, -1)
    return torch.cat([rows, columns], dim=-1).reshape(grid * grid, dim)
