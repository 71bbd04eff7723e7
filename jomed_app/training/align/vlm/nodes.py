"""Nodes of the graphs: an image by its projected features, a text by the language part alone.

Source: LoGra-Med, arXiv:2410.02615: means over projected patches, and over last hidden states of an
answer alone. Ours: padding is not averaged in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from jomed_app.models.reader.vlm.images import SeenImage
from jomed_app.models.reader.vlm.inputs import InputBuilder


def image_nodes(images: Sequence[SeenImage]) -> Tensor:
    """Mean projected feature (B, D) of every image, float32, with gradients where they are on."""
    return torch.stack([image.features.float().mean(0) for image in images])


def text_nodes(inputs: InputBuilder, texts: Sequence[Sequence[int]]) -> Tensor:
    """Mean last hidden state (B, D) of every text alone, float32, with gradients where they are on.

    Args:
        inputs: of the model.
        texts: ids of B texts, one each at least.
    """
    lengths = [len(text) for text in texts]
    pad, width = inputs.writer.pad_id, max(lengths)
    ids = torch.tensor([[*text, *[pad] * (width - len(text))] for text in texts])
    keep = torch.arange(width) < torch.tensor(lengths)[:, None]
    ids, keep = ids.to(inputs.device), keep.to(inputs.device)
    model: Any = inputs.encoder.model
    hidden: Tensor = model.get_decoder()(
        input_ids=ids,
        attention_mask=keep.long(),
        position_ids=(keep.long().cumsum(-1) - 1).clamp(min=0) + inputs.family.first_position,
        use_cache=False,
    ).last_hidden_state.float()
    mask = keep[..., None].to(hidden)
    return (hidden * mask).sum(1) / mask.sum(1)
