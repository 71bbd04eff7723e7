"""Free answers of the packed reader: every row goes on with its likeliest tokens, all at once."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from jomed_app.models.reader.packed_rows import PackedRows, Reading


@torch.inference_mode()
def greedy_ids(reader: PackedRows, reading: Reading, max_tokens: int) -> list[list[int]]:
    """Go on from every row with its likeliest tokens, each row on its own.

    The reading is left as it was. An answer has at least one token; a location token is none.

    Args:
        reader: that read the rows.
        reading: R rows.
        max_tokens: >= 1.

    Returns:
        R answers of at most `max_tokens` ids each, without the end token.

    Raises:
        ValueError: if max_tokens < 1.
    """
    if max_tokens < 1:
        raise ValueError(f"an answer needs max_tokens >= 1, found {max_tokens}")
    count, end = len(reading.sees), reader.prompts.end_id
    barred = torch.zeros(reading.next_log_prob.shape[-1])
    barred[reader.location_ids] = -torch.inf
    following = reading.next_log_prob.index_fill(-1, torch.tensor([end]), -torch.inf)
    going = replace(reading, next_log_prob=following)
    said: list[Tensor] = []
    is_done = torch.zeros(count, dtype=torch.bool)
    while len(said) < max_tokens:
        ids = (going.next_log_prob + barred).argmax(-1).masked_fill(is_done, end)
        is_done = is_done | (ids == end)
        if is_done.all():
            break
        said.append(ids)
        if len(said) < max_tokens:
            log_prob, sees = reader.append(going, torch.arange(count), ids[:, None])
            going = replace(
                going,
                sees=sees,
                next_position=going.next_position + 1,
                next_log_prob=log_prob[:, -1],
            )
    if (appended := going.sees.shape[1] - reading.sees.shape[1]) > 0:
        reading.cache.crop(-appended)
    rows = torch.stack(said, dim=1).tolist()
    return [row[: row.index(end)] if end in row else row for row in rows]
