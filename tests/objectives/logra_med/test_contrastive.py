"""InfoNCE: hand values, signs, invariances."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize

from jomed_app.objectives.logra_med.contrastive import info_nce_loss


def unit_rows(seed, count=5, dim=8):
    return normalize(torch.randn(count, dim, generator=torch.Generator().manual_seed(seed)), dim=-1)


def test_hand_value():
    # Logits are the identity: each row's loss is log(1 + 1/e).
    loss = info_nce_loss(torch.eye(2), torch.eye(2), 1.0)
    torch.testing.assert_close(loss, torch.tensor(math.log1p(math.exp(-1))))


def test_temperature_divides_the_scores():
    loss = info_nce_loss(torch.eye(2), torch.eye(2), 0.5)
    torch.testing.assert_close(loss, torch.tensor(math.log1p(math.exp(-2))))


def test_no_signal_costs_the_log_of_the_batch():
    images = torch.ones(4, 4) / 2
    torch.testing.assert_close(info_nce_loss(images, torch.eye(4), 0.1), torch.tensor(4.0).log())


def test_equal_texts_count_as_one():
    texts = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    torch.testing.assert_close(
        info_nce_loss(texts, texts, 0.1), torch.tensor(0.0), atol=1e-6, rtol=0
    )


def test_doubles_are_not_pushed_apart():
    texts = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    images = texts.clone().requires_grad_(True)
    info_nce_loss(images, texts, 0.5).backward()
    torch.testing.assert_close(images.grad[0], images.grad[1])


def test_gradient_pulls_pairs_and_pushes_others():
    images = torch.eye(3).requires_grad_(True)
    info_nce_loss(images, torch.eye(3), 1.0).backward()
    assert (images.grad.diagonal() < 0).all()
    assert (images.grad[~torch.eye(3, dtype=torch.bool)] > 0).all()


def test_the_temperature_can_learn():
    temperature = torch.tensor(1.0, requires_grad=True)
    info_nce_loss(torch.eye(2), torch.eye(2), temperature).backward()
    assert temperature.grad > 0  # pairs are right already: sharper is better


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 200))
def test_never_negative(seed):
    assert info_nce_loss(unit_rows(seed), unit_rows(seed + 1), 0.2) >= -1e-6


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 200))
def test_invariances(seed):
    images, texts = unit_rows(seed), unit_rows(seed + 1)
    loss = info_nce_loss(images, texts, 0.3)
    order = torch.randperm(5, generator=torch.Generator().manual_seed(seed))
    rotation, _ = torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(seed)))
    for other in (
        info_nce_loss(images[order], texts[order], 0.3),
        info_nce_loss(texts, images, 0.3),
        info_nce_loss(images @ rotation, texts @ rotation, 0.3),
    ):
        torch.testing.assert_close(other, loss, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("shapes", [((2, 3), (2, 4)), ((1, 3), (1, 3))])
def test_shapes_must_fit(shapes):
    with pytest.raises(ValueError, match=r"one shape \(B, D\) with B >= 2, found"):
        info_nce_loss(torch.ones(shapes[0]), torch.ones(shapes[1]), 1.0)
