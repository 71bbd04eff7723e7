"""The losses that `align` chooses from: which terms they have, and that all of them teach."""

from __future__ import annotations

import re

import pytest
import torch
from torch.nn.functional import normalize

from jomed_app.config.training import AlignConfig, GraphConfig
from jomed_app.errors import ConfigError
from jomed_app.training.align.losses import LOSSES, AlignmentLoss, over_texts

TOGETHER = ("graph+infonce", "infonce+graph")


def rows(seed, count=12, dim=8):
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(count, dim, generator=generator), dim=-1).requires_grad_()


def loss_of(name, image, texts, **changes):
    torch.manual_seed(0)
    module = AlignmentLoss(AlignConfig(loss=name, **changes), GraphConfig(), 8)
    return module, module(image, texts, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", [*LOSSES, *TOGETHER])
def test_every_loss_reaches_image_and_both_texts(name):
    image, short, long = rows(0), rows(1), rows(2)
    _, terms = loss_of(name, image, [short, long])
    terms["loss"].backward()
    for each in (image, short, long):
        assert torch.isfinite(each.grad).all()
        assert each.grad.abs().sum() > 0


@pytest.mark.parametrize("name", [*LOSSES, *TOGETHER])
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
    expected = terms["infonce"] + 3 * terms["graph"]
    assert terms["loss"].item() == pytest.approx(expected.item())


def test_infonce_averages_over_texts():
    image, short, long = rows(0), rows(1), rows(2)
    _, both = loss_of("infonce", image, [short, long])
    parts = [loss_of("infonce", image, [each])[1]["loss"].item() for each in (short, long)]
    assert both["loss"].item() == pytest.approx(sum(parts) / 2)


def test_infonce_has_nothing_of_its_own_to_learn():
    assert not list(loss_of("infonce", rows(0), [rows(1)])[0].parameters())


def test_a_loss_is_a_line_in_the_table(monkeypatch):
    def distance(image, text):
        return (image - text).square().sum(-1).mean()

    monkeypatch.setitem(LOSSES, "distance", lambda config, graph, dim: over_texts(distance))
    image, text = rows(0), rows(1)
    _, terms = loss_of("distance+infonce", image, [text])
    torch.testing.assert_close(terms["distance"], distance(image, text))
    torch.testing.assert_close(terms["loss"], terms["distance"] + terms["infonce"])


@pytest.mark.parametrize("name", ["infonse", "graph+", "graph+graph", "siglip", ""])
def test_what_is_no_loss_is_said(name):
    known = f"'align.loss' must be one or more of {list(LOSSES)}, joined by '+', found '{name}'"
    with pytest.raises(ConfigError, match=re.escape(known)):
        loss_of(name, rows(0), [rows(1)])
