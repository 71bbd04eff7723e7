"""The DINOv2 tower: its tokens, its maps, and that it is transformers' own model inside."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional
from transformers import AutoModel, Dinov2Config, Dinov2Model

from jomed_app.models.towers.dinov2 import Dinov2TowerConfig
from jomed_app.models.towers.families import finding_parts, is_lent, load_tower, register_towers
from jomed_app.models.towers.tokens import pool_tokens, pooled_size
from tests.tiny_models import build_tiny_dinov2, build_tiny_tower

SIDE, CELLS, WIDTH = 84, 6, 32


@pytest.fixture
def pixels():
    return torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def test_the_tokens_are_those_of_the_model_of_transformers(pixels):
    tower = build_tiny_dinov2(image_size=SIDE)
    shape = {key: getattr(tower.config, key) for key in ("hidden_size", "num_hidden_layers")}
    plain = Dinov2Model(
        Dinov2Config(
            **shape, num_attention_heads=2, image_size=SIDE, patch_size=14, use_mask_token=False
        )
    ).eval()
    plain.load_state_dict(tower.state_dict())
    expected = plain(pixels).last_hidden_state
    torch.testing.assert_close(tower(pixels).last_hidden_state, expected)
    torch.testing.assert_close(tower.from_last(*tower.before_last(pixels)), expected)


@torch.no_grad()
@pytest.mark.parametrize("grid", [2, 3, 4])
def test_patches_are_averaged_to_the_grid(pixels, grid):
    fine = build_tiny_dinov2(image_size=SIDE)(pixels).last_hidden_state
    tokens = build_tiny_dinov2(image_size=SIDE, token_grid=grid)(pixels).last_hidden_state
    assert tokens.shape == (2, 1 + grid**2, WIDTH)
    torch.testing.assert_close(tokens[:, 0], fine[:, 0])  # the class token is left alone
    if CELLS % grid == 0:
        step = CELLS // grid
        corner = fine[:, 1:].view(2, CELLS, CELLS, WIDTH)[:, :step, :step].mean((1, 2))
        torch.testing.assert_close(tokens[:, 1], corner)
        whole = fine[:, 1:].mean(1)  # equal cells: the mean stays
        torch.testing.assert_close(tokens[:, 1:].mean(1), whole)


@torch.no_grad()
def test_pooling_joins_class_token_and_mean(pixels):
    tower = build_tiny_dinov2(image_size=SIDE, token_grid=3)
    output = tower(pixels)
    pooled = pool_tokens(output.last_hidden_state, tower.config)
    assert pooled.shape == (2, pooled_size(tower.config)) == (2, 2 * WIDTH)
    torch.testing.assert_close(pooled, output.pooler_output)
    assert output.hidden_states[-1] is output.last_hidden_state


@torch.no_grad()
def test_the_start_map_holds_the_last_and_the_middle_layer(pixels):
    tower = build_tiny_dinov2(image_size=SIDE)
    start = tower.start_map(pixels)
    assert start.shape == (2, 2 * WIDTH, CELLS, CELLS)
    fine = tower(pixels).last_hidden_state[:, 1:]
    torch.testing.assert_close(start[:, :WIDTH].flatten(2).transpose(1, 2), fine)
    early, later = finding_parts(tower.config)
    coarse, finer = later(start)
    assert torch.equal(coarse, start[:, :WIDTH])
    assert finer.shape == (2, WIDTH, 2 * CELLS, 2 * CELLS)
    down = functional.avg_pool2d(finer, 2)[..., 1:-1, 1:-1]  # of a linear ramp: the value itself
    assert (down - start[:, WIDTH:, 1:-1, 1:-1]).abs().mean() < start[:, WIDTH:].std()
    with pytest.raises(ValueError, match="must be lent the reader's tower, found none"):
        early(pixels)
    early.take(tower)
    assert torch.equal(early(pixels), start)
    assert not list(early.parameters())  # lent, not carried


def test_only_a_large_tower_is_lent():
    assert is_lent(build_tiny_dinov2().config)
    assert not is_lent(build_tiny_tower().config)


@torch.no_grad()
def test_stored_and_loaded(pixels, tmp_path):
    register_towers()
    tower = build_tiny_dinov2(image_size=SIDE, token_grid=3)
    tower.save_pretrained(tmp_path)
    for loaded in (load_tower(tmp_path), AutoModel.from_pretrained(tmp_path).eval()):
        assert torch.equal(loaded(pixels).last_hidden_state, tower(pixels).last_hidden_state)
    assert not load_tower(tmp_path).training


def test_the_last_stage_alone_gets_gradients(pixels):
    tower = build_tiny_dinov2(image_size=SIDE).requires_grad_(False)
    tower.last_stage.requires_grad_(True)
    tower.from_last(*tower.before_last(pixels)).square().mean().backward()
    learning = {name for name, value in tower.named_parameters() if value.grad is not None}
    assert learning
    assert all(name.startswith(("encoder.layer.1.", "layernorm.")) for name in learning)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"image_size": 100}, "image_size must be a multiple of 14, found 100"),
        ({"image_size": 56, "token_grid": 5}, "token_grid must be at most the 4 patches a side"),
    ],
)
def test_shapes_that_do_not_fit(values, message):
    with pytest.raises(ValueError, match=message):
        Dinov2TowerConfig(**values)
