"""EfficientNet-Lite as a transformers model that returns patch tokens.

Source: EfficientNet, arXiv:1905.11946, in the "Lite" form (no squeeze-and-excitation, ReLU6).
Ours: the tokens join two strides. A stride-32 cell carries its deep features, the four stride-16
cells inside it (space to depth) and its sine-cosine position, so that 64 tokens of a 256 px image
still tell where in a cell an edge lies.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling

from jomed_app.models.cpu.depthwise import depthwise_conv

# (kernel, stride, expansion, channels, repeats): EfficientNet-B0, arXiv:1905.11946 table 1
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
FINE_STAGE = 4  # its output has stride 16


class EfficientNetLiteConfig(PreTrainedConfig):
    """Shape of the tower.

    Attributes:
        image_size: side of the square input, px, a multiple of 32.
        width: channel multiplier in (0, 1]; 1.0 is Lite0, smaller ones are for tests.
        position_dim: sine-cosine channels per token, a multiple of 4.
        hidden_size: width of a token; derived, stored because LLaVA reads it.
    """

    model_type = "efficientnet_lite"

    image_size: int = 256
    width: float = 1.0
    position_dim: int = 32
    hidden_size: int = 0

    def __post_init__(self, **kwargs: Any) -> None:
        super().__post_init__(**kwargs)  # type: ignore[no-untyped-call]
        if self.image_size % 32:
            raise ValueError(f"image_size must be a multiple of 32, found {self.image_size}")
        if self.position_dim % 4:
            raise ValueError(f"position_dim must be a multiple of 4, found {self.position_dim}")
        channels = self.stage_channels
        self.hidden_size = channels[-1] + 4 * channels[FINE_STAGE] + self.position_dim

    @property
    def stage_channels(self) -> list[int]:
        """Output channels of the seven stages."""
        return [max(4, int(stage[3] * self.width)) for stage in STAGES]

    @property
    def pooled_size(self) -> int:
        """Width of the pooled vector: deep and fine channels, averaged over the image."""
        channels = self.stage_channels
        return channels[-1] + channels[FINE_STAGE]

    @property
    def grid(self) -> int:
        """Tokens per side."""
        return self.image_size // 32


class _SameConv(nn.Conv2d):
    """Convolution with TensorFlow's SAME padding, as the weights were trained."""

    def forward(self, x: Tensor) -> Tensor:
        pads: list[int] = []
        for size, kernel, stride in zip(
            reversed(x.shape[-2:]), reversed(self.kernel_size), reversed(self.stride), strict=True
        ):
            total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
            pads += [total // 2, total - total // 2]
        if self.groups > 1 and x.dtype == torch.bfloat16 and torch.is_grad_enabled():
            padded = functional.pad(x, pads)
            return depthwise_conv(padded, self.weight, self.bias, self.stride[0])
        padding = (pads[2], pads[0])
        if pads[0] != pads[1] or pads[2] != pads[3]:
            x, padding = functional.pad(x, pads), (0, 0)
        filtered: Tensor = functional.conv2d(
            x, self.weight, self.bias, self.stride, padding, groups=self.groups
        )
        return filtered


class _InvertedBottleneck(nn.Module):
    """Expand, filter per channel, project; add the input where shapes allow."""

    def __init__(
        self, channels_in: int, channels_out: int, kernel: int, stride: int, expansion: int
    ) -> None:
        super().__init__()
        inner = channels_in * expansion
        self.expand = _SameConv(channels_in, inner, 1) if expansion != 1 else None
        self.depthwise = _SameConv(inner, inner, kernel, stride, groups=inner)
        self.project = _SameConv(inner, channels_out, 1)
        self.is_residual = stride == 1 and channels_in == channels_out

    def forward(self, x: Tensor) -> Tensor:
        hidden = x
        if self.expand is not None:
            hidden = functional.relu6(self.expand(hidden), inplace=True)
        hidden = functional.relu6(self.depthwise(hidden), inplace=True)
        projected: Tensor = self.project(hidden)
        return x + projected if self.is_residual else projected


def sine_cosine_positions(grid: int, dim: int) -> Tensor:
    """Return (grid*grid, dim) sine-cosine codes of the cell centers, row by row, in [-1, 1]."""
    centers = (torch.arange(grid, dtype=torch.float32) + 0.5) / grid
    frequencies = math.pi * 2.0 ** torch.arange(dim // 4, dtype=torch.float32)
    angles = centers[:, None] * frequencies[None]
    axis = torch.cat([angles.sin(), angles.cos()], dim=-1)
    rows = axis[:, None, :].expand(grid, grid, -1)
    columns = axis[None, :, :].expand(grid, grid, -1)
    return torch.cat([rows, columns], dim=-1).reshape(grid * grid, dim)


class EfficientNetLiteModel(PreTrainedModel):
    """Image -> patch tokens (P = grid², row by row) and one pooled vector.

    Ours: batch normalization is folded into the convolutions when the weights are converted:
    batches here are small and mixed, so its statistics would stay frozen anyway.
    """

    config_class = EfficientNetLiteConfig
    config: EfficientNetLiteConfig
    main_input_name = "pixel_values"
    input_modalities = ["image"]  # noqa: RUF012
    _no_split_modules = ["_InvertedBottleneck"]  # noqa: RUF012

    def __init__(self, config: EfficientNetLiteConfig) -> None:
        super().__init__(config)
        channels = max(8, int(32 * config.width))
        self.stem = _SameConv(3, channels, 3, stride=2)
        stages = []
        for (kernel, stride, expansion, _, repeats), out in zip(
            STAGES, config.stage_channels, strict=True
        ):
            blocks = []
            for repeat in range(repeats):
                blocks.append(
                    _InvertedBottleneck(
                        channels, out, kernel, stride if repeat == 0 else 1, expansion
                    )
                )
                channels = out
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)
        self.post_init()  # type: ignore[no-untyped-call]

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
            if module.bias is not None:
                nn.init.zeros_(module.bias)

    def fine_map(self, pixel_values: Tensor) -> Tensor:
        """Return the stride-16 map (B, C16, 2g, 2g)."""
        hidden = functional.relu6(
            self.stem(pixel_values.contiguous(memory_format=torch.channels_last)), inplace=True
        )
        for stage in self.stages[: FINE_STAGE + 1]:
            hidden = stage(hidden)
        return hidden

    def middle_map(self, fine: Tensor) -> Tensor:
        """Return what the last stage starts from, (B, C, g, g), from the stride-16 map."""
        hidden = fine
        for stage in self.stages[FINE_STAGE + 1 : -1]:
            hidden = stage(hidden)
        return hidden

    def last_map(self, middle: Tensor) -> Tensor:
        """Return the stride-32 map (B, C32, g, g) of the last stage."""
        deep: Tensor = self.stages[-1](middle)
        return deep

    def deep_map(self, fine: Tensor) -> Tensor:
        """Return the stride-32 map (B, C32, g, g) from the stride-16 one."""
        return self.last_map(self.middle_map(fine))

    def join_tokens(self, fine: Tensor, deep: Tensor) -> Tensor:
        """Return patch tokens (B, P, hidden_size) from both maps."""
        inside = functional.pixel_unshuffle(fine, 2)
        tokens = torch.cat([deep, inside], dim=1).flatten(2).transpose(1, 2)
        positions = sine_cosine_positions(deep.shape[-1], self.config.position_dim)
        positions = positions.to(tokens.device, tokens.dtype)
        return torch.cat([tokens, positions.expand(tokens.shape[0], -1, -1)], dim=-1)

    def forward(self, pixel_values: Tensor, **kwargs: Any) -> BaseModelOutputWithPooling:
        """Encode images.

        Args:
            pixel_values: (B, 3, S, S), S a multiple of 32, RGB scaled as `(x - 127) / 128`.
            **kwargs: accepted and ignored, as LLaVA passes its own.

        Returns:
            last_hidden_state (B, P, hidden_size), pooler_output (B, pooled_size), and
            hidden_states holding the tokens once, which is where LLaVA looks.
        """
        fine = self.fine_map(pixel_values)
        deep = self.deep_map(fine)
        tokens = self.join_tokens(fine, deep)
        pooled = torch.cat([deep.mean((2, 3)), fine.mean((2, 3))], dim=-1)
        return BaseModelOutputWithPooling(
            last_hidden_state=tokens, pooler_output=pooled, hidden_states=(tokens,)
        )


def register_vision_tower() -> None:
    """Make `AutoModel` and `AutoConfig` know the tower; safe to call again."""
    AutoConfig.register("efficientnet_lite", EfficientNetLiteConfig, exist_ok=True)
    AutoModel.register(EfficientNetLiteConfig, EfficientNetLiteModel, exist_ok=True)
