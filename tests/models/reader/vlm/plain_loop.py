"""A second way of computing the same: one row and one answer at a time, from raw pixels.

No cache, no padding, no features handed over, no positions given: what transformers itself does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from jomed_app.models.reader.vlm.reader import VlmReader
from jomed_app.models.reader.vlm.rows import Row


@torch.inference_mode()
def plain_log_probs(
    reader: VlmReader, row: Row, pictures: Sequence[Image.Image], answer: Sequence[int]
) -> Tensor:
    """(n,) log-probabilities of an answer's tokens behind one row, nats."""
    logits = plain_logits(reader, row, pictures, answer)
    log_prob = logits.log_softmax(-1)[len(row.ids) - 1 : -1]
    return log_prob.gather(-1, torch.tensor(answer)[:, None])[:, 0]


@torch.inference_mode()
def plain_logits(
    reader: VlmReader, row: Row, pictures: Sequence[Image.Image], answer: Sequence[int]
) -> Tensor:
    """(T, V) logits of a row with an answer behind it."""
    ids = torch.tensor([[*row.ids, *answer]])
    processor: Any = reader.encoder.processor
    model: Any = reader.model
    family = reader.family
    shown = [pictures] if family.nested else list(pictures)
    given: dict[str, Any] = dict(
        processor(images=shown, return_tensors="pt", **family.image_options)
    )
    given["pixel_values"] = given["pixel_values"].to(reader.model.dtype)
    given |= {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    is_image = (ids == reader.writer.image_token_id).long()
    if family.reads_both_ways:
        behind = torch.arange(ids.shape[1])[None] >= len(row.ids)
        given[str(family.type_ids)] = behind.long()
    elif family.type_ids:
        given[str(family.type_ids)] = is_image
    if family.twin:
        given["batch_num_images"] = torch.tensor([len(pictures)])
    logits: Tensor = model(**given).logits[0].float()
    return logits
