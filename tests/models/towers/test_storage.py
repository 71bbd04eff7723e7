"""A tower as a bundle holds it: what comes back, and that a second round moves it no further."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from jomed_app.models.loading import Precision
from jomed_app.models.towers.storage import as_stored, round_tower
from tests.tiny_models import build_tiny_dinov2


@pytest.fixture
def tower():
    return build_tiny_dinov2(image_size=56)


@pytest.fixture
def pixels():
    return torch.randn(2, 3, 56, 56, generator=torch.Generator().manual_seed(0))


def test_bf16_leaves_a_tower_as_it_is(tower):
    assert as_stored(tower, Precision.BF16) is tower


@torch.no_grad()
def test_a_second_round_in_4_bits_moves_it_hardly_any_further(tower, pixels):
    once = as_stored(tower, Precision.NF4)
    twice = as_stored(once.to(torch.bfloat16).float(), Precision.NF4)  # as export hands it over
    plain, first, second = (
        each(pixels).last_hidden_state.flatten() for each in (tower, once, twice)
    )
    moved, moved_again = (first - plain).norm(), (second - first).norm()
    assert moved > 0.01 * plain.norm()
    assert moved_again < 0.2 * moved
    assert functional.cosine_similarity(plain, first, dim=0) > 0.9
    assert once.dtype is torch.float32
    assert not once.training


@torch.no_grad()
@pytest.mark.parametrize("precision", [Precision.INT8, Precision.NF4])
def test_fewer_bits_are_a_smaller_file(tower, pixels, tmp_path, precision):
    tower.save_pretrained(tmp_path / "plain")
    sizes = {}
    for each in (Precision.BF16, precision):
        rounded = round_tower(tmp_path / "plain", each, tmp_path / each.value)
        assert rounded(pixels).last_hidden_state.isfinite().all()
        sizes[each] = (tmp_path / each.value / "model.safetensors").stat().st_size
    assert sizes[precision] < sizes[Precision.BF16]


def test_gradients_pass_what_came_back(tower, pixels):
    """4-bit layers of bitsandbytes may stop them; what comes back has none."""
    once = as_stored(tower, Precision.NF4)
    once(pixels).last_hidden_state.square().mean().backward()
    assert once.encoder.layer[0].attention.q_proj.weight.grad.abs().sum() > 0
