"""The vision tower that is configured, converted."""

from __future__ import annotations

from pathlib import Path

from jomed_app.config.model import TowerConfig
from jomed_app.errors import ConfigError
from jomed_app.training.base_weights.dinov2_small import convert_dinov2_small
from jomed_app.training.base_weights.efficientnet_lite0 import convert_efficientnet_lite0
from jomed_app.training.base_weights.packages import (
    DINOV2_SMALL,
    EFFICIENTNET_LITE0,
    MINILM,
    SMOLLM2,
    BasePackage,
)


def convert_vision_tower(out: Path, config: TowerConfig) -> Path:
    """Write the configured tower as a transformers folder.

    Raises:
        ConfigError: if a setting does not fit the family, or a package is not installed.
    """
    size, tokens = config.image_size, config.tokens
    try:
        match config.family:
            case "efficientnet_lite0":
                if tokens not in (0, size // 32):
                    raise ConfigError(
                        f"tower.tokens of efficientnet_lite0 must be 0 or {size // 32}, a "
                        f"thirty-second of tower.image_size, found {tokens}"
                    )
                if config.storage != "bf16":
                    raise ConfigError(
                        "tower.storage of efficientnet_lite0 must be bf16, it has no linear "
                        f"layers; found {config.storage}"
                    )
                return convert_efficientnet_lite0(out, size)
            case "dinov2_small":
                return convert_dinov2_small(out, size, tokens)
    except ValueError as error:  # transformers' own word for a shape that does not fit
        raise ConfigError(f"tower: {error}") from error


def packages_of(config: TowerConfig) -> tuple[BasePackage, ...]:
    """The packages that a bundle's base weights come from."""
    tower = {"efficientnet_lite0": EFFICIENTNET_LITE0, "dinov2_small": DINOV2_SMALL}
    return tower[config.family], MINILM, SMOLLM2
