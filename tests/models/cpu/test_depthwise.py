"""The fast backward pass gives the library's values."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from jomed_app.models.cpu.depthwise import depthwise_conv

SIZES = [(1, 1), (3, 1), (3, 2), (5, 1), (5, 2), (7, 1)]


def gradients(filtered, inputs):
    toward = torch.linspace(-1, 1, filtered.numel()).view(filtered.shape)
    return torch.autograd.grad((filtered.float() * toward).sum(), inputs)


def tensors(size, kind, rows=11, columns=12):
    generator = torch.Generator().manual_seed(size)
    shapes = (2, 6, rows, columns), (6, 1, size, size), (6,)
    return [torch.randn(shape, generator=generator).to(kind).requires_grad_() for shape in shapes]


@pytest.mark.parametrize(("size", "stride"), SIZES)
def test_values_and_gradients_are_the_librarys(size, stride):
    x, weight, bias = tensors(size, torch.float32)
    ours = depthwise_conv(x, weight, bias, stride)
    plain = functional.conv2d(x, weight, bias, stride, groups=6)
    torch.testing.assert_close(ours, plain)
    for mine, its in zip(
        gradients(ours, (x, weight, bias)), gradients(plain, (x, weight, bias)), strict=True
    ):
        torch.testing.assert_close(mine, its, atol=1e-4, rtol=1e-4)  # sums in another order


@pytest.mark.parametrize(("size", "stride"), SIZES[1:5])
def test_half_precision_stays_near_the_exact_gradients(size, stride):
    half = tensors(size, torch.bfloat16)
    exact = [value.detach().float().requires_grad_() for value in half]
    ours = gradients(depthwise_conv(*half, stride), half)
    plain = gradients(functional.conv2d(*exact, stride, groups=6), exact)
    for mine, its in zip(ours, plain, strict=True):
        assert mine.dtype == torch.bfloat16
        assert (mine.float() - its).abs().max() <= 0.02 * its.abs().max()


def test_weights_are_cast_to_the_maps_type_and_keep_their_own_gradient():
    x, weight, bias = tensors(3, torch.float32)
    filtered = depthwise_conv(x.bfloat16(), weight, bias)
    assert filtered.dtype == torch.bfloat16
    assert [each.dtype for each in gradients(filtered, (weight, bias))] == [torch.float32] * 2


def test_a_filter_without_a_bias_and_a_frozen_map():
    x, weight, _ = tensors(5, torch.float32)
    (mine,) = gradients(depthwise_conv(x.detach(), weight, None), (weight,))
    (its,) = gradients(functional.conv2d(x.detach(), weight, groups=6), (weight,))
    torch.testing.assert_close(mine, its, atol=1e-4, rtol=1e-4)  # sums in another order
