"""Depthwise convolution whose backward pass is fast on a CPU.

Ours: the library's own kernels are quick for 3x3 weights and for stride 1, and 20 to 60 times
slower for the weights of a 5x5 filter and for the input of a strided one in bf16. The first is
put together from 3x3 pieces, the second is computed in fp32; the values are the same.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

PIECE = 3  # side of the weights whose gradient has a fast kernel


class _DepthwiseConv(torch.autograd.Function):
    """Filter every channel on its own; the input is padded already."""

    @staticmethod
    def forward(
        ctx: Any, padded: Tensor, weight: Tensor, bias: Tensor | None, stride: int
    ) -> Tensor:
        ctx.save_for_backward(padded, weight)
        ctx.stride, ctx.has_bias = stride, bias is not None
        return functional.conv2d(padded, weight, bias, stride, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        padded, weight = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        needs_input, needs_weight, needs_bias, _ = ctx.needs_input_grad
        to_input = _input_gradient(gradient, padded, weight, ctx.stride) if needs_input else None
        to_weight = _weight_gradient(gradient, padded, weight, ctx.stride) if needs_weight else None
        to_bias = gradient.sum((0, 2, 3)) if needs_bias and ctx.has_bias else None
        return to_input, to_weight, to_bias, None


def depthwise_conv(padded: Tensor, weight: Tensor, bias: Tensor | None, stride: int = 1) -> Tensor:
    """Filter every channel of a padded map on its own, with a fast backward pass.

    Args:
        padded: (B, C, H, W), no padding is added.
        weight: (C, 1, k, k); cast to the map's type.
        bias: (C,) or None; cast to the map's type.
        stride: rows and columns from one place to the next, >= 1.

    Returns:
        (B, C, (H - k) // stride + 1, (W - k) // stride + 1).
    """
    filtered: Tensor = _DepthwiseConv.apply(  # type: ignore[no-untyped-call]
        padded, weight.to(padded.dtype), None if bias is None else bias.to(padded.dtype), stride
    )
    return filtered


def _backward(
    gradient: Tensor, padded: Tensor, weight: Tensor, stride: int, mask: list[bool]
) -> tuple[Tensor, Tensor, Tensor]:
    found: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.convolution_backward(
        gradient, padded, weight, None, [stride] * 2, [0, 0], [1, 1], False, [0, 0], len(weight),
        mask,
    )  # fmt: skip
    return found


def _input_gradient(gradient: Tensor, padded: Tensor, weight: Tensor, stride: int) -> Tensor:
    if stride == 1 or padded.dtype == torch.float32:
        return _backward(gradient, padded, weight, stride, [True, False, False])[0]
    exact = _backward(
        gradient.float(), padded.float(), weight.float(), stride, [True, False, False]
    )[0]
    return exact.to(padded.dtype)


def _weight_gradient(gradient: Tensor, padded: Tensor, weight: Tensor, stride: int) -> Tensor:
    size = weight.shape[-1]
    if size <= PIECE:
        return _backward(gradient, padded, weight, stride, [False, True, False])[1]
    rows, columns = ((side - 1) * stride + PIECE for side in gradient.shape[-2:])
    found = torch.empty_like(weight)
    starts = [*range(0, size - PIECE, PIECE - 1), size - PIECE]
    for top in starts:
        for left in starts:
            seen = padded[:, :, top : top + rows, left : left + columns]
            piece = weight[:, :, top : top + PIECE, left : left + PIECE].contiguous()
            found[:, :, top : top + PIECE, left : left + PIECE] = _backward(
                gradient,
                seen.contiguous(memory_format=torch.channels_last),
                piece,
                stride,
                [False, True, False],
            )[1]
    return found
