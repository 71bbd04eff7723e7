"""Where an answer looked: attention of its words to an image's patches."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from jomed_app.models.reader.vlm.inputs import InputBuilder
from jomed_app.models.reader.vlm.rows import Row


def attention_maps(
    inputs: InputBuilder, row: Row, answer: list[int], first: int = 0
) -> list[Tensor]:
    """Mean attention over layers, heads and the positions that predict the answer, or its end.

    Gradients are kept where they are on. Layers that have no map (linear attention) do not count.

    Args:
        inputs: of the model, whose language part gives maps by plain attention alone: it is set to
            that for the call, and back.
        row: one prompt.
        answer: ids, one at least.
        first: tokens of the answer before it do not count.

    Returns:
        Of each image of the row (rows, columns), >= 0.
    """
    model: Any = inputs.encoder.model
    language = model.get_decoder()
    usual = language.config._attn_implementation
    language.set_attn_implementation("eager")
    try:
        given = inputs.padded([row], [answer])
        given.pop("labels")
        output = model(**given, output_attentions=True, use_cache=False, logits_to_keep=1)
    finally:
        if usual != "eager":  # some know nothing else, and refuse to be told
            language.set_attn_implementation(usual)
    maps = torch.stack([each for each in output.attentions if each is not None])
    asking = slice(len(row.ids) - 1 + first, len(row.ids) - 1 + len(answer))
    heat = maps[:, 0, :, asking].float().mean((0, 1, 2))
    found = []
    for image, start in zip(row.images, row.starts, strict=True):
        places = torch.tensor(row.ids[start:], device=heat.device) == row.ids[start]
        mine = heat[start : start + len(places)][places][: image.grid[0] * image.grid[1]]
        found.append(mine.view(image.grid))
    return found
