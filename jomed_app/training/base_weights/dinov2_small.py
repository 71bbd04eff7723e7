"""DINOv2-S/14, out of the ONNX graph in which its package ships it.

The graph is transformers' `Dinov2Model` and a decoder behind it, which is left out. A linear
layer's weight stands there transposed and without a name, so it is known by the product that
reads it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from jomed_app.errors import ConfigError
from jomed_app.models.pixels import PIXEL_MEAN, PIXEL_SCALE
from jomed_app.models.towers.dinov2 import Dinov2Tower, Dinov2TowerConfig
from jomed_app.training.base_weights.packages import DINOV2_SMALL, package_folder

GRAPH_FILE = "models/vit_s_focus.onnx"
PREFIX = "backbone."
# ImageNet means and deviations of 0..1 RGB, with which DINOv2 was trained
CHANNEL_MEAN = (0.485, 0.456, 0.406)
CHANNEL_SCALE = (0.229, 0.224, 0.225)
PATCH_FILTER = "embeddings.patch_embeddings.projection"
POSITIONS = "embeddings.position_embeddings"
# Names in the graph -> names in the model that is here
RENAMED = {
    "attention.attention.query": "attention.q_proj",
    "attention.attention.key": "attention.k_proj",
    "attention.attention.value": "attention.v_proj",
    "attention.output.dense": "attention.o_proj",
}


def convert_dinov2_small(out: Path, image_size: int, token_grid: int) -> Path:
    """Write DINOv2-S/14 as a transformers folder, made for one input size.

    Args:
        out: folder to write.
        image_size: side of the input, px, a multiple of 14; positions are resampled to it.
        token_grid: patch tokens per side; 0 leaves one a patch.

    Raises:
        ConfigError: if the package, or the one that reads its file, is not installed.
    """
    config = Dinov2TowerConfig(
        hidden_size=384,
        num_hidden_layers=12,
        num_attention_heads=6,
        patch_size=14,
        image_size=image_size,
        token_grid=token_grid,
        use_mask_token=False,
    )
    weights = read_graph(package_folder(DINOV2_SMALL) / GRAPH_FILE)
    weights[POSITIONS] = resampled(weights[POSITIONS], config.num_cells)
    model = Dinov2Tower(config)
    model.load_state_dict(fold_scaling(weights))
    model.save_pretrained(out)
    return out


def read_graph(path: Path) -> dict[str, Tensor]:
    """The weights of a graph's `Dinov2Model` by their names there, positions joined.

    Raises:
        ConfigError: if the package that reads ONNX files is not installed.
    """
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError as error:
        raise ConfigError(
            "converting DINOv2 requires the package onnx, which is not installed; "
            "run: make setup-training"
        ) from error
    graph: Any = onnx.load(path).graph
    stored = {each.name: each for each in graph.initializer}

    def value(name: str) -> Tensor:
        return torch.from_numpy(np.array(numpy_helper.to_array(stored[name]), dtype=np.float32))

    found = {name: value(name) for name in stored if name.startswith(PREFIX)}
    positions = {}
    for node in graph.node:
        place = node.name.strip("/").replace("/", ".")
        for name in node.input if place.startswith(PREFIX) else ():
            if name not in stored or name in found:
                continue
            if node.op_type == "MatMul":
                found[f"{place.removesuffix('.MatMul')}.weight"] = value(name).T.contiguous()
            else:  # the class token's position is joined, the patches' are resampled first
                positions[node.op_type] = value(name)
    found[PREFIX + POSITIONS] = torch.cat([positions["Concat"], positions["Reshape"]], dim=1)
    return {_renamed(name.removeprefix(PREFIX)): each for name, each in found.items()}


def resampled(positions: Tensor, cells: int) -> Tensor:
    """Positions (1, 1 + n², C) for `cells` patches a side, as `Dinov2Model` does at each call."""
    side = round((positions.shape[1] - 1) ** 0.5)
    patches = positions[:, 1:].transpose(1, 2).unflatten(2, (side, side))
    moved = functional.interpolate(patches, size=(cells, cells), mode="bicubic")
    return torch.cat([positions[:, :1], moved.flatten(2).transpose(1, 2)], dim=1)


def fold_scaling(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Let the patch filter take `(x - 127) / 128` where it took `(x / 255 - mean) / deviation`.

    Exact: the filter is not padded, so every output sees all channels the same way.
    """
    mean, scale = torch.tensor(CHANNEL_MEAN), torch.tensor(CHANNEL_SCALE)
    kernel = weights[f"{PATCH_FILTER}.weight"]
    gain = PIXEL_SCALE / 255 / scale
    shift = (PIXEL_MEAN / 255 - mean) / scale
    moved = (kernel * shift[:, None, None]).sum((1, 2, 3))
    return weights | {
        f"{PATCH_FILTER}.weight": kernel * gain[:, None, None],
        f"{PATCH_FILTER}.bias": weights[f"{PATCH_FILTER}.bias"] + moved,
    }


def _renamed(name: str) -> str:
    for old, new in RENAMED.items():
        name = name.replace(old, new)
    return name
