"""Packing: one sequence per query, all its candidates behind it, each blind to the others.

Ours: a block attends to the query part and to itself only, and its positions continue the query's,
so every block's answer has exactly the likelihood it has as a row of its own, while the query part
is computed once for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

IGNORED = -100


@dataclass(frozen=True, slots=True)
class Block:
    """One candidate (or none) and the answer it is tuned towards.

    Attributes:
        prompt: ids from the candidate up to where the answer begins.
        answer: ids of the answer.
        weights: loss weight of each answer token, >= 0.
        dropped: (query length,) True where this block may not see the query, or None.
    """

    prompt: Sequence[int]
    answer: Sequence[int]
    weights: Sequence[float]
    dropped: Tensor | None = None


@dataclass(frozen=True, slots=True)
class PackedBatch:
    """B sequences of T tokens.

    Attributes:
        input_ids: (B, T); position_ids: (B, T).
        attention: (B, 1, T, T) True where a token may look.
        targets: (B, T) id of the next token where an answer is due, else `IGNORED`.
        weights: (B, T) loss weights.
    """

    input_ids: Tensor
    position_ids: Tensor
    attention: Tensor
    targets: Tensor
    weights: Tensor

    def to(self, device: torch.device) -> PackedBatch:
        """The same batch on a device."""
        return PackedBatch(
            self.input_ids.to(device),
            self.position_ids.to(device),
            self.attention.to(device),
            self.targets.to(device),
            self.weights.to(device),
        )


def pack(
    queries: Sequence[Sequence[int]], blocks: Sequence[Sequence[Block]], pad_id: int
) -> PackedBatch:
    """Pack B queries, each with its blocks, padded on the right.

    Raises:
        ValueError: if a query has no block or an answer and its weights differ in length.
    """
    if not all(blocks):
        raise ValueError("every query must have at least one block")
    lengths = [
        len(query) + sum(len(block.prompt) + len(block.answer) for block in row)
        for query, row in zip(queries, blocks, strict=True)
    ]
    size, longest = len(queries), max(lengths)
    ids = torch.full((size, longest), pad_id, dtype=torch.long)
    positions = torch.zeros(size, longest, dtype=torch.long)
    targets = torch.full((size, longest), IGNORED, dtype=torch.long)
    weights = torch.zeros(size, longest)
    # A padding token sees itself, so that no row of the softmax is empty.
    attention = torch.eye(longest, dtype=torch.bool).repeat(size, 1, 1)
    causal = torch.ones(longest, longest, dtype=torch.bool).tril()
    for row, (query, row_blocks) in enumerate(zip(queries, blocks, strict=True)):
        shared = len(query)
        ids[row, :shared] = torch.tensor(list(query))
        positions[row, :shared] = torch.arange(shared)
        attention[row, :shared, :shared] = causal[:shared, :shared]
        start = shared
        for block in row_blocks:
            if len(block.answer) != len(block.weights):
                raise ValueError(
                    f"an answer of {len(block.answer)} tokens needs as many weights, "
                    f"found {len(block.weights)}"
                )
            length = len(block.prompt) + len(block.answer)
            stop = start + length
            ids[row, start:stop] = torch.tensor([*block.prompt, *block.answer])
            positions[row, start:stop] = shared + torch.arange(length)
            attention[row, start:stop, :shared] = True
            if block.dropped is not None:
                attention[row, start:stop, :shared] &= ~block.dropped
            attention[row, start:stop, start:stop] = causal[:length, :length]
            asked = slice(stop - len(block.answer) - 1, stop - 1)
            targets[row, asked] = torch.tensor(list(block.answer))
            weights[row, asked] = torch.tensor(list(block.weights))
            start = stop
    return PackedBatch(ids, positions, attention[:, None], targets, weights)
