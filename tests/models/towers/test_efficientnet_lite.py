"""The tower: geometry of its tokens, padding, position codes, storage."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from transformers import AutoModel

from jomed_app.models.towers.efficientnet_lite import (
    FINE_STAGE,
    EfficientNetLiteConfig,
    _SameConv,
)
from jomed_app.models.towers.families import register_towers
from jomed_app.models.towers.tokens import pool_tokens, sine_cosine_positions
from tests.tiny_models import build_tiny_tower


@pytest.fixture(scope="module")
def tower():
    return build_tiny_tower(seed=1)


@pytest.fixture
def pixels():
    return torch.randn(2, 3, 128, 128)


def test_shapes(tower, pixels):
    output = tower(pixels)
    assert output.last_hidden_state.shape == (2, 16, tower.config.hidden_size)
    assert output.pooler_output.shape == (2, 32 + 11)
    assert output.hidden_states[0] is output.last_hidden_state


def test_full_width_is_lite0():
    config = EfficientNetLiteConfig()
    assert config.stage_channels == [16, 24, 40, 80, 112, 192, 320]
    assert config.hidden_size == 320 + 4 * 112 + 32
    assert config.grid == 8


def test_a_token_carries_its_own_cells(tower, pixels):
    fine, middle = tower.before_last(pixels)
    deep = tower.deep_map(middle)
    tokens = tower(pixels).last_hidden_state
    channels, depth = deep.shape[1], fine.shape[1]
    row, column = 2, 1
    token = tokens[1, row * 4 + column]
    torch.testing.assert_close(token[:channels], deep[1, :, row, column])
    for down in (0, 1):
        for across in (0, 1):
            cell = token[channels + 2 * down + across : channels + 4 * depth : 4]
            torch.testing.assert_close(cell, fine[1, :, 2 * row + down, 2 * column + across])


def test_pooled_is_the_mean_of_the_tokens(tower, pixels):
    output = tower(pixels)
    channels = tower.config.stage_channels
    pooled = pool_tokens(output.last_hidden_state, tower.config)
    torch.testing.assert_close(pooled[:, : channels[-1]], output.pooler_output[:, : channels[-1]])
    fine = pooled[:, channels[-1] :].view(2, channels[FINE_STAGE], 4).mean(-1)
    torch.testing.assert_close(fine, output.pooler_output[:, channels[-1] :])


def test_images_do_not_mix(tower, pixels):
    alone = tower(pixels[1:]).last_hidden_state
    torch.testing.assert_close(tower(pixels).last_hidden_state[1:], alone, atol=1e-4, rtol=1e-4)


def test_random_weights_keep_the_signal(tower, pixels):
    tokens = tower(pixels).last_hidden_state
    assert (tokens[0] - tokens[1]).abs().mean() > 0.01


def test_another_size_at_run_time(tower):
    assert tower(torch.zeros(1, 3, 64, 64)).last_hidden_state.shape[1] == 4


def test_positions_by_hand():
    # One cell: its center is 0.5, so sin(pi/2) = 1 and cos(pi/2) = 0 on both axes.
    expected = torch.tensor([[1.0, 0.0, 1.0, 0.0]])
    torch.testing.assert_close(sine_cosine_positions(1, 4), expected, atol=1e-6, rtol=0)


def test_positions_say_row_then_column():
    codes = sine_cosine_positions(4, 8)
    torch.testing.assert_close(codes[0, :4], codes[1, :4])  # same row
    torch.testing.assert_close(codes[0, 4:], codes[4, 4:])  # same column
    distances = torch.cdist(codes, codes) + 9 * torch.eye(16)
    assert distances.min() > 0.1


def test_padding_is_tensorflows():
    # Size 4, kernel 3, stride 2: one pixel is missing, added after the end, not before the start.
    convolution = _SameConv(1, 1, 3, stride=2, bias=False)
    nn.init.ones_(convolution.weight)
    output = convolution(torch.ones(1, 1, 4, 4))
    torch.testing.assert_close(output[0, 0], torch.tensor([[9.0, 6.0], [6.0, 4.0]]))


def test_stride_one_pads_both_sides():
    convolution = _SameConv(1, 1, 3, bias=False)
    nn.init.ones_(convolution.weight)
    output = convolution(torch.ones(1, 1, 3, 3))[0, 0]
    assert output[0, 0] == 4
    assert output[1, 1] == 9
    assert output.shape == (3, 3)


def test_stored_and_loaded_by_auto_model(tower, pixels, tmp_path):
    register_towers()
    register_towers()  # again does no harm
    tower.save_pretrained(tmp_path)
    loaded = AutoModel.from_pretrained(tmp_path).eval()
    assert torch.equal(loaded(pixels).last_hidden_state, tower(pixels).last_hidden_state)


def test_image_size_must_fit():
    with pytest.raises(ValueError, match="image_size must be a multiple of 32, found 100"):
        EfficientNetLiteConfig(image_size=100)


def test_position_dim_must_fit():
    with pytest.raises(ValueError, match="position_dim must be a multiple of 4, found 6"):
        EfficientNetLiteConfig(position_dim=6)
