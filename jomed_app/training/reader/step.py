"""One step of the reader's supervised stages: packed sequences in, their answers' loss out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from jomed_app.models.number_type import autocast
from jomed_app.models.reader.feature_forward import call_hidden
from jomed_app.models.reader.packed import PackedReader
from jomed_app.objectives.jomed.answers import answer_loss
from jomed_app.training.reader.packing import IGNORED, Block, pack


def answer_step_loss(
    reader: PackedReader,
    queries: Sequence[Sequence[int]],
    blocks: Sequence[Sequence[Block]],
    features_in_order: Callable[[], Sequence[Tensor]],
    label_smoothing: float,
) -> dict[str, Tensor]:
    """Weighted mean of the negative log-likelihood of all blocks' answers.

    Only the hidden states that name an answer token are turned into logits.

    Args:
        reader: learns, on the device where its model is.
        queries: ids of B queries.
        blocks: of each query, one or more.
        features_in_order: called under autocast; image tokens (P, D) in the order in which the
            packed sequences show their images.
        label_smoothing: of the answer tokens that are not locations, in [0, 1).

    Returns:
        "loss", nats per unit of weight, and "tokens", how many were computed, padding included.
    """
    device = reader.model.device
    batch = pack(queries, blocks, int(reader.tokenizer.pad_token_id or 0)).to(device)
    with autocast(device):
        hidden = call_hidden(
            reader.model,
            batch.input_ids,
            batch.attention,
            batch.position_ids,
            features_in_order(),
        )
        is_asked = batch.targets != IGNORED
        logits = reader.model.get_output_embeddings()(hidden[is_asked])
    loss = answer_loss(
        logits,
        batch.targets[is_asked],
        batch.weights[is_asked],
        reader.location_ids.to(device),
        label_smoothing=label_smoothing,
    )
    return {"loss": loss, "tokens": torch.tensor(float(batch.input_ids.numel()))}
