"""What is said of tokens by a tower's shape: pooling by hand, positions by hand."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from jomed_app.models.towers.tokens import patch_tokens, pool_tokens, pooled_size


@dataclass(frozen=True)
class Shape:
    hidden_size: int
    num_leading: int
    position_dim: int


TOKENS = torch.tensor([[[1.0, 2.0, 9.0], [3.0, 6.0, 9.0]]])


def test_pooling_leaves_positions_out():
    assert pool_tokens(TOKENS, Shape(3, 0, 1)).tolist() == [[2.0, 4.0]]
    assert pool_tokens(TOKENS, Shape(3, 0, 0)).tolist() == [[2.0, 4.0, 9.0]]


def test_a_class_token_stands_first_and_is_not_averaged():
    shape = Shape(3, 1, 0)
    assert pool_tokens(TOKENS, shape).tolist() == [[1.0, 2.0, 9.0, 3.0, 6.0, 9.0]]
    assert patch_tokens(TOKENS, shape).tolist() == [[[3.0, 6.0, 9.0]]]
    assert patch_tokens(TOKENS[0], shape).tolist() == [[3.0, 6.0, 9.0]]


def test_the_pooled_size_is_what_pooling_gives():
    for shape in (Shape(3, 0, 1), Shape(3, 0, 0), Shape(3, 1, 0)):
        assert pool_tokens(TOKENS, shape).shape[1] == pooled_size(shape)
