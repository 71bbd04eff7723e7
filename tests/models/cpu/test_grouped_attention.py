"""Grouped attention against PyTorch's own, with heads repeated."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from jomed_app.models.cpu.grouped_attention import grouped_attention


def drawn(groups, heads=6, queries=5, keys=9):
    generator = torch.Generator().manual_seed(0)
    query = torch.randn(2, heads, queries, 8, generator=generator)
    key, value = torch.randn(2, 2, groups, keys, 8, generator=generator)
    mask = torch.rand(2, 1, queries, keys, generator=generator) > 0.3
    mask[..., 0] = True
    return query, key, value, mask


@pytest.mark.parametrize("groups", [1, 2, 3, 6])
@pytest.mark.parametrize("is_bool", [True, False])
def test_it_equals_attention_with_repeated_heads(groups, is_bool):
    query, key, value, mask = drawn(groups)
    repeated = (each.repeat_interleave(6 // groups, dim=1) for each in (key, value))
    expected = scaled_dot_product_attention(query, *repeated, attn_mask=mask)
    given = mask if is_bool else torch.zeros(mask.shape).masked_fill(~mask, -torch.inf)
    found, weights = grouped_attention(torch.nn.Identity(), query, key, value, given)
    assert weights is None
    torch.testing.assert_close(found, expected.transpose(1, 2), atol=1e-5, rtol=1e-4)


def test_the_scale_is_as_told():
    query, key, value, mask = drawn(3)
    plain, _ = grouped_attention(torch.nn.Identity(), query * 2, key, value, mask, scaling=0.5)
    other, _ = grouped_attention(torch.nn.Identity(), query, key, value, mask, scaling=1.0)
    torch.testing.assert_close(plain, other)


@pytest.mark.parametrize(("mask", "dropout"), [(False, 0.0), (True, 0.1)])
def test_what_it_cannot_do_is_refused(mask, dropout):
    query, key, value, given = drawn(3)
    with pytest.raises(ValueError, match="requires a mask and no dropout; use 'sdpa' instead"):
        grouped_attention(
            torch.nn.Identity(), query, key, value, given if mask else None, dropout=dropout
        )
