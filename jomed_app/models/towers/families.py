"""The towers there are, by the names that transformers stores; only here are all of them known.

Everyone else asks a tower for the same few abilities. Pixels are (B, 3, S, S), RGB scaled as
`(x - 127) / 128`, whatever the tower was trained on.

- `config`: `image_size` and `grid` (patch tokens per side), what `tokens.TokenShape` holds, and
  `map_channels` and `map_strides` of the maps that a localizer reads, the coarsest first.
- calling it: `last_hidden_state` (B, T, C), tokens as `tokens` describes them.
- `before_last(pixels)`: what the last stage starts from; `from_last(*kept)`: tokens from that, with
  gradient into `last_stage`.
- `start_map(pixels)`: the map that a localizer goes on from.
- `finding_parts(config)`: what a localizer is built on. The first part gives the start map and
  takes what it needs from a tower (`take`), the second makes the maps from it, the coarsest first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel

from jomed_app.models.towers import dinov2, efficientnet_lite
from jomed_app.models.towers.dinov2 import Dinov2Tower, Dinov2TowerConfig
from jomed_app.models.towers.efficientnet_lite import EfficientNetLiteConfig, EfficientNetLiteModel

TOWERS: dict[type[PreTrainedConfig], type[PreTrainedModel]] = {
    EfficientNetLiteConfig: EfficientNetLiteModel,
    Dinov2TowerConfig: Dinov2Tower,
}
VisionTower = EfficientNetLiteModel | Dinov2Tower
FINDING_PARTS: dict[str, Callable[[Any], tuple[Any, Any]]] = {
    EfficientNetLiteConfig.model_type: efficientnet_lite.finding_parts,
    Dinov2TowerConfig.model_type: dinov2.finding_parts,
}


def register_towers() -> None:
    """Make `AutoModel` and `AutoConfig` know the towers; safe to call again."""
    for config, model in TOWERS.items():
        AutoConfig.register(config.model_type, config, exist_ok=True)
        AutoModel.register(config, model, exist_ok=True)


def load_tower(folder: Path | str) -> VisionTower:
    """Load a tower from the folder that `save_pretrained` wrote, in fp32."""
    register_towers()
    tower: VisionTower = AutoModel.from_pretrained(folder, dtype=torch.float32)
    tower.train(False)
    return tower


def load_tower_config(folder: Path | str) -> Any:
    """Load a tower's shape alone."""
    register_towers()
    return AutoConfig.from_pretrained(folder)


def tower_config(values: Mapping[str, Any]) -> Any:
    """A tower's shape from the plain values that its `to_dict` gave."""
    register_towers()
    rest = dict(values)
    return AutoConfig.for_model(rest.pop("model_type"), **rest)


def finding_parts(config: Any) -> tuple[Any, Any]:
    """What a localizer is built on, for a tower of this shape."""
    return FINDING_PARTS[config.model_type](config)


def is_lent(config: Any) -> bool:
    """Whether localizers run on the reader's own tower, instead of carrying a part of one."""
    lent: bool = finding_parts(config)[0].is_lent
    return lent
