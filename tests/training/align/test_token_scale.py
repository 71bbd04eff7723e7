"""Tokens of one scale: exact, folded into the tower, and only where it can be."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from jomed_app.training.align.token_scale import NUM_PICTURES, standardize_tokens
from jomed_app.training.cases.image_set import ImageSet
from tests.tiny_models import build_tiny_dinov2, build_tiny_tower


def pictures(count: int, side: int) -> ImageSet:
    rng = np.random.default_rng(3)
    squares = [rng.integers(0, 256, (side, side, 3), dtype=np.uint8) for _ in range(count)]
    return ImageSet([None] * count, squares, torch.full((count, 4), torch.nan))


@torch.no_grad()
def test_every_channel_has_mean_0_and_deviation_1():
    images, tower = pictures(5, 56), build_tiny_dinov2(image_size=56, token_grid=2)
    pixels = images.pixel_values(range(5))
    before = tower(pixels).last_hidden_state
    standardize_tokens(tower, images, batch_size=2)
    after = tower(pixels).last_hidden_state
    mean, deviation = before.mean((0, 1)), before.std((0, 1))
    torch.testing.assert_close(after, (before - mean) / deviation, atol=1e-4, rtol=1e-4)
    assert after.mean((0, 1)).abs().max() < 1e-4
    torch.testing.assert_close(tower.start_map(pixels)[:, :32].mean((2, 3)), after[:, 1:].mean(1))


@torch.no_grad()
def test_later_pictures_have_no_say():
    few, many = build_tiny_dinov2(image_size=28), build_tiny_dinov2(image_size=28)
    images = pictures(NUM_PICTURES + 2, 28)
    standardize_tokens(few, images.subset(range(NUM_PICTURES)))
    standardize_tokens(many, images)
    assert torch.equal(few.layernorm.weight, many.layernorm.weight)


def test_a_tower_without_a_last_normalization_is_left():
    tower = build_tiny_tower(image_size=64)
    before = {name: value.clone() for name, value in tower.state_dict().items()}
    standardize_tokens(tower, pictures(2, 64))
    for name, value in tower.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.parametrize("deviation", [0.5, 4.0])
@torch.no_grad()
def test_rescaling_by_hand(deviation):
    tower = build_tiny_dinov2(image_size=28)
    tower.layernorm.weight.fill_(2.0)
    tower.layernorm.bias.fill_(7.0)
    tower.rescale_tokens(torch.full((32,), 3.0), torch.full((32,), deviation))
    assert tower.layernorm.weight[0] == 2.0 / deviation
    assert tower.layernorm.bias[0] == (7.0 - 3.0) / deviation
