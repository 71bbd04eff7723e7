"""DINOv2 as a tower: a class token and patch tokens, averaged to a coarser grid where wanted.

Source: DINOv2, arXiv:2304.07193; the architecture is transformers' own `Dinov2Model`.
Ours: the channel means and deviations that DINOv2 was trained with are folded into its patch
filter when the weights are converted, so all towers take the same pixels; positions are resampled
to the input size once, there; patch tokens are averaged to `token_grid` cells a side, since a
language model pays for each of them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import Dinov2Config, Dinov2Model
from transformers.modeling_outputs import BaseModelOutputWithPooling

from jomed_app.models.towers.tokens import pool_tokens


class Dinov2TowerConfig(Dinov2Config):
    """Shape of the tower, beside what `Dinov2Config` holds.

    Attributes:
        token_grid: patch tokens per side; 0 leaves one a patch.
    """

    model_type = "dinov2_tower"

    token_grid: int = 0

    def __post_init__(self, **kwargs: Any) -> None:
        super().__post_init__(**kwargs)  # type: ignore[no-untyped-call]
        if self.side % self.patch_side:
            raise ValueError(
                f"image_size must be a multiple of {self.patch_side}, found {self.image_size}"
            )
        if self.token_grid > self.num_cells:
            raise ValueError(
                f"token_grid must be at most the {self.num_cells} patches a side of an input of "
                f"{self.side} px, found {self.token_grid}"
            )

    @property
    def side(self) -> int:
        """Side of the square input, px."""
        return int(self.image_size)  # type: ignore[arg-type]

    @property
    def patch_side(self) -> int:
        """Side of a patch, px."""
        return int(self.patch_size)  # type: ignore[arg-type]

    @property
    def num_cells(self) -> int:
        """Patches per side of the input."""
        return self.side // self.patch_side

    @property
    def grid(self) -> int:
        """Patch tokens per side."""
        return self.token_grid or self.num_cells

    @property
    def num_leading(self) -> int:
        """The class token."""
        return 1

    @property
    def position_dim(self) -> int:
        """No channel tells the place alone."""
        return 0

    @property
    def map_channels(self) -> list[int]:
        """Of the maps that a localizer reads: the last layer's, and the middle one's, raised."""
        return [self.hidden_size, self.hidden_size]

    @property
    def map_strides(self) -> list[int]:
        """Of these maps, px."""
        return [self.patch_side, self.patch_side // 2]


class Dinov2Tower(Dinov2Model):
    """Image -> class token, then patch tokens (P = grid², row by row)."""

    config_class = Dinov2TowerConfig
    config: Dinov2TowerConfig

    def forward(self, pixel_values: Tensor, **kwargs: Any) -> BaseModelOutputWithPooling:
        """Encode images.

        Args:
            pixel_values: (B, 3, S, S), S a multiple of the patch, RGB scaled as `(x - 127) / 128`.
            **kwargs: accepted and ignored, as LLaVA passes its own.

        Returns:
            last_hidden_state (B, 1 + P, hidden_size), pooler_output (B, 2 hidden_size), class token
            and mean of the patch tokens, and hidden_states holding the tokens once, which is where
            LLaVA looks.
        """
        tokens = self.from_last(*self.before_last(pixel_values))
        return BaseModelOutputWithPooling(
            last_hidden_state=tokens,
            pooler_output=pool_tokens(tokens, self.config).to(tokens.dtype),
            hidden_states=(tokens,),
        )

    def before_last(self, pixel_values: Tensor) -> tuple[Tensor]:
        """Return the hidden states (B, 1 + cells², C) that the last layer reads."""
        hidden: Tensor = self.embeddings(pixel_values)
        for layer in self.encoder.layer[:-1]:
            hidden = layer(hidden)
        return (hidden,)

    @property
    def last_stage(self) -> nn.Module:
        """The last layer and the normalization behind it."""
        return nn.ModuleList([self.encoder.layer[-1], self.layernorm])

    def from_last(self, *kept: Tensor) -> Tensor:
        """Return the tokens (B, 1 + P, C) from what `before_last` gave."""
        (hidden,) = kept
        return self._pooled(self.layernorm(self.encoder.layer[-1](hidden)))

    def _pooled(self, hidden: Tensor) -> Tensor:
        """Average the patches of (B, 1 + cells², C) to the grid."""
        cells, grid = round((hidden.shape[1] - 1) ** 0.5), self.config.grid
        if cells <= grid:
            return hidden
        patches = functional.adaptive_avg_pool2d(_as_map(hidden[:, 1:]), grid)
        return torch.cat([hidden[:, :1], patches.flatten(2).transpose(1, 2)], dim=1)

    @torch.no_grad()
    def rescale_tokens(self, mean: Tensor, deviation: Tensor) -> None:
        """Let every token from now on be `(token - mean) / deviation`; both (C,), deviation > 0."""
        self.layernorm.weight.div_(deviation)
        self.layernorm.bias.sub_(mean).div_(deviation)

    def start_map(self, pixel_values: Tensor) -> Tensor:
        """Return (B, 2C, cells, cells): patches of the last layer, then of the middle one."""
        hidden: Tensor = self.embeddings(pixel_values)
        found = []
        for number, layer in enumerate(self.encoder.layer, 1):
            hidden = layer(hidden)
            if number in {self.config.num_hidden_layers // 2, self.config.num_hidden_layers}:
                found.append(self.layernorm(hidden)[:, 1:])
        return _as_map(torch.cat(found[::-1], dim=-1))


def _as_map(patches: Tensor) -> Tensor:
    """(B, n², C) patches, row by row -> (B, C, n, n)."""
    side = round(patches.shape[1] ** 0.5)
    unfolded: Tensor = patches.transpose(1, 2).unflatten(2, (side, side))
    return unfolded


class LentTower(nn.Module):
    """The reader's own tower as what a localizer starts from: too large to be carried twice."""

    is_lent = True

    def __init__(self) -> None:
        super().__init__()
        self._tower: list[Dinov2Tower] = []  # in a list, so that it is no part of the localizer

    def forward(self, pixel_values: Tensor) -> Tensor:
        """Return the start map of (B, 3, S, S) pixels.

        Raises:
            ValueError: if no tower was lent.
        """
        if not self._tower:
            raise ValueError("a localizer of this kind must be lent the reader's tower, found none")
        (tower,) = self._tower
        start: Tensor = tower.start_map(pixel_values.to(tower.dtype))
        return start.to(pixel_values.dtype)

    def take(self, tower: Dinov2Tower) -> None:
        """Borrow a tower; it stays as it is."""
        self._tower = [tower]


class RaisedMaps(nn.Module):
    """The two maps that a localizer reads; nothing here learns."""

    def forward(self, start: Tensor) -> list[Tensor]:
        """Return the last layer's map, and the middle one's at half the stride."""
        last, middle = start.chunk(2, dim=1)
        return [last, functional.interpolate(middle, scale_factor=2.0, mode="bilinear")]

    def take(self, tower: Dinov2Tower) -> None:
        """Nothing to start from."""


def finding_parts(config: Dinov2TowerConfig) -> tuple[LentTower, RaisedMaps]:
    """What a localizer is built on: see `families`."""
    return LentTower(), RaisedMaps()
