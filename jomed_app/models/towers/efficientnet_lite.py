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
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling

from jomed_app.models.cpu.depthwise import depthwise_conv
from jomed_app.models.towers.tokens import sine_cosine_positions

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
EARLY_STAGE = 2  # its output has stride 8; the stages behind it learn to find


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
    def grid(self) -> int:
        """Tokens per side."""
        return self.image_size // 32

    @property
    def num_leading(self) -> int:
        """No token of the whole image."""
        return 0

    @property
    def map_channels(self) -> list[int]:
        """Of the maps that a localizer reads, the coarsest first."""
        channels = self.stage_channels
        return [channels[-1], channels[FINE_STAGE], channels[EARLY_STAGE]]

    @property
    def map_strides(self) -> list[int]:
        """Of these maps, px."""
        return [32, 16, 8]


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

    def start_map(self, pixel_values: Tensor) -> Tensor:
        """Return the stride-8 map (B, C8, 4g, 4g), which a localizer goes on from."""
        return _early_map(self.stem, self.stages[: EARLY_STAGE + 1], pixel_values)

    def fine_map(self, pixel_values: Tensor) -> Tensor:
        """Return the stride-16 map (B, C16, 2g, 2g)."""
        return _early_map(self.stem, self.stages[: FINE_STAGE + 1], pixel_values)

    def before_last(self, pixel_values: Tensor) -> tuple[Tensor, Tensor]:
        """Return the stride-16 map and what the last stage makes the stride-32 map from."""
        fine = hidden = self.fine_map(pixel_values)
        for stage in self.stages[FINE_STAGE + 1 : -1]:
            hidden = stage(hidden)
        return fine, hidden

    @property
    def last_stage(self) -> nn.Module:
        """The last stage."""
        return self.stages[-1]

    def deep_map(self, middle: Tensor) -> Tensor:
        """Return the stride-32 map (B, C32, g, g) of the last stage."""
        deep: Tensor = self.last_stage(middle.contiguous(memory_format=torch.channels_last))
        return deep

    def from_last(self, *kept: Tensor) -> Tensor:
        """Return patch tokens (B, P, hidden_size) from what `before_last` gave."""
        fine, middle = kept
        return self.join_tokens(fine, self.deep_map(middle))

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
            last_hidden_state (B, P, hidden_size), pooler_output (B, C32 + C16), deep and fine
            channels averaged over the image, and hidden_states holding the tokens once, which is
            where LLaVA looks.
        """
        fine, middle = self.before_last(pixel_values)
        deep = self.deep_map(middle)
        tokens = self.join_tokens(fine, deep)
        pooled = torch.cat([deep.mean((2, 3)), fine.mean((2, 3))], dim=-1)
        return BaseModelOutputWithPooling(
            last_hidden_state=tokens, pooler_output=pooled, hidden_states=(tokens,)
        )


def _early_map(stem: nn.Module, stages: nn.ModuleList, pixel_values: Tensor) -> Tensor:
    """Run the stem and the stages behind it."""
    pixels = pixel_values.contiguous(memory_format=torch.channels_last)
    hidden = functional.relu6(stem(pixels), inplace=True)
    for stage in stages:
        hidden = stage(hidden)
    return hidden


class EarlyStages(nn.Module):
    """Stem and first stages of a tower, a copy that never learns."""

    is_lent = False

    def __init__(self, tower: EfficientNetLiteModel) -> None:
        super().__init__()
        self.stem = tower.stem
        self.stages = tower.stages[: EARLY_STAGE + 1]
        self.requires_grad_(False)

    def forward(self, pixel_values: Tensor) -> Tensor:
        """Return the stride-8 map (B, C8, S/8, S/8) of (B, 3, S, S) pixels."""
        return _early_map(self.stem, self.stages, pixel_values)

    def take(self, tower: EfficientNetLiteModel) -> None:
        """Copy a tower's early stages."""
        self.stem.load_state_dict(tower.stem.state_dict())
        self.stages.load_state_dict(tower.stages[: EARLY_STAGE + 1].state_dict())
        self.requires_grad_(False)


class LaterStages(nn.ModuleList):
    """The stages behind the early ones, a copy that learns to find."""

    def forward(self, start: Tensor) -> list[Tensor]:
        """Return the maps of stride 32, 16 and 8 from the stride-8 one."""
        hidden, maps = start, [start]
        for number, stage in enumerate(self, EARLY_STAGE + 1):
            hidden = stage(hidden)
            if number == FINE_STAGE:
                maps.insert(0, hidden)
        return [hidden, *maps]

    def take(self, tower: EfficientNetLiteModel) -> None:
        """Start from a tower's own."""
        self.load_state_dict(tower.stages[EARLY_STAGE + 1 :].state_dict())


def finding_parts(config: EfficientNetLiteConfig) -> tuple[EarlyStages, LaterStages]:
    """What a localizer is built on, with random weights: see `families`."""
    tower = EfficientNetLiteModel(EfficientNetLiteConfig(width=config.width))
    return EarlyStages(tower), LaterStages(tower.stages[EARLY_STAGE + 1 :])
