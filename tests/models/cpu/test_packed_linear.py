"""Packed layers equal the ones they replace; what must stay stays."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from jomed_app.models.cpu.packed_linear import PackedLinear, can_pack, pack_linears
from tests.tiny_models import build_tiny_reader

needs_packing = pytest.mark.skipif(not can_pack(), reason="this build packs no bf16 weights")


@needs_packing
@pytest.mark.parametrize("shape", [(1, 5, 48), (3, 48), (2, 1, 48)])
@pytest.mark.parametrize("bias", [True, False])
def test_a_packed_layer_is_the_same_function(shape, bias):
    torch.manual_seed(0)
    linear = nn.Linear(48, 20, bias=bias).bfloat16()
    inputs = torch.randn(shape).bfloat16()
    with torch.inference_mode():
        torch.testing.assert_close(
            PackedLinear(linear)(inputs), linear(inputs), atol=2e-2, rtol=2e-2
        )


@needs_packing
def test_a_reader_answers_the_same():
    reader = build_tiny_reader(2, ["benign"])
    reader.model.to(torch.bfloat16)
    image = reader.encode_pixels(torch.randn(1, 3, 128, 128))[0]
    before = reader.read(image, "What is it?", []).next_log_prob
    layers = len([each for each in reader.model.modules() if type(each) is nn.Linear])
    assert pack_linears(reader.model.model.language_model) == layers - 1 - 2, (
        "all but the tied output layer and the projector, which is no part of it"
    )
    after = reader.read(image, "What is it?", []).next_log_prob
    torch.testing.assert_close(after, before, atol=0.1, rtol=0.05)


def test_tied_and_full_precision_layers_stay():
    model = nn.Sequential(nn.Embedding(8, 4), nn.Linear(4, 8, bias=False), nn.Linear(8, 4))
    model[1].weight = model[0].weight
    model[:2].bfloat16()
    assert pack_linears(model) == 0
    assert [type(each) for each in model] == [nn.Embedding, nn.Linear, nn.Linear]


def test_without_the_operator_nothing_changes(monkeypatch):
    monkeypatch.setattr("jomed_app.models.cpu.packed_linear.can_pack", lambda: False)
    model = nn.Sequential(nn.Linear(4, 4).bfloat16())
    assert pack_linears(model) == 0
    assert type(model[0]) is nn.Linear
