"""The losses that `align` chooses from: which terms they have, and that all of them teach."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import normalize

from jomed_app.config.training import AlignConfig, GraphConfig
from jomed_app.training.align.losses import AlignmentLoss

LOSSES = ("infonce", "graph", "graph+infonce")


def rows(seed, count=12, dim=8):
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(count, dim, generator=generator), dim=-1).requires_grad_()


def loss_of(name, image, texts, **changes):
    torch.manual_seed(0)
    module = AlignmentLoss(AlignConfig(loss=name, **changes), GraphConfig(), 8)
    return module, module(image, texts, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_reaches_image_and_both_texts(name):
    image, short, long = rows(0), rows(1), rows(2)
    _, terms = loss_of(name, image, [short, long])
    terms["loss"].backward()
    for each in (image, short, long):
        assert torch.isfinite(each.grad).all()
        assert each.grad.abs().sum() > 0


@pytest.mark.parametrize("name", LOSSES)
def test_without_extended_texts_the_second_text_is_not_heard(name):
    image, short, long = rows(0), rows(1), rows(2)
    _, terms = loss_of(name, image, [short, long], use_extended=False)
    _, alone = loss_of(name, image, [short], use_extended=False)
    assert terms["loss"].item() == pytest.approx(alone["loss"].item())
    terms["loss"].backward()
    assert long.grad is None


def test_the_sum_is_weighted():
    image, texts = rows(0), [rows(1), rows(2)]
    _, terms = loss_of("graph+infonce", image, texts, graph_weight=3.0)
    expected = terms["contrast"] + 3 * terms["graph"]
    assert terms["loss"].item() == pytest.approx(expected.item())


def test_infonce_averages_over_texts():
    image, short, long = rows(0), rows(1), rows(2)
    _, both = loss_of("infonce", image, [short, long])
    parts = [loss_of("infonce", image, [each])[1]["loss"].item() for each in (short, long)]
    assert both["loss"].item() == pytest.approx(sum(parts) / 2)


def test_infonce_has_nothing_of_its_own_to_learn():
    assert not list(loss_of("infonce", rows(0), [rows(1)])[0].parameters())
