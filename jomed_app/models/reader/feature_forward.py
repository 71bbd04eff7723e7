"""The reader's standard forward, fed with image features that are already projected.

Ours: a picture is encoded once however often it is read, so features go in by
`mm_encoder_outputs`, the way transformers itself hands an encoder's output to the language model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling

from jomed_app.models.memory import memory_of

LOWER = "the number of candidates, or --precision (nf4 needs least)"


def call_with_features(
    model: PreTrainedModel,
    input_ids: Tensor,
    attention: Tensor,
    position_ids: Tensor,
    images: Sequence[Tensor],
    *,
    keep_logits: int | Tensor,
    cache: DynamicCache | None = None,
) -> Tensor:
    """Run the model's standard forward with image features that are already projected.

    Everything is moved to where the model lies.

    Args:
        model: image-text-to-text model.
        input_ids: (1, T) ids, image tokens where images stand.
        attention: (T, cached + T) True where a token may look.
        position_ids: (1, T).
        images: features (P_i, D) in the order in which their tokens stand.
        keep_logits: how many columns at the end, or which ones (K,), get logits.
        cache: keys and values read before; what is read now is appended.

    Returns:
        (1, K, V) logits, where the model lies.

    Raises:
        MemoryShortError: if what is read does not fit.
    """
    with memory_of(LOWER):
        device = model.device
        keep = keep_logits.to(device) if isinstance(keep_logits, Tensor) else keep_logits
        logits: Tensor = model(
            input_ids=input_ids.to(device),
            attention_mask=_additive(attention.to(device), model.dtype)[None, None],
            position_ids=position_ids.to(device),
            past_key_values=cache,
            use_cache=cache is not None,
            logits_to_keep=keep,
            return_dict=True,
            **(_encoder_outputs([each.to(device) for each in images]) if images else {}),
        ).logits
    return logits


def call_hidden(
    model: PreTrainedModel,
    input_ids: Tensor,
    attention: Tensor,
    position_ids: Tensor,
    images: Sequence[Tensor],
) -> Tensor:
    """Run the model without its output layer on packed sequences.

    Args:
        model: image-text-to-text model.
        input_ids: (B, T); position_ids: (B, T).
        attention: (B, 1, T, T) True where a token may look.
        position_ids: (B, T).
        images: features in the order in which their tokens stand.

    Returns:
        (B, T, D) last hidden states.
    """
    hidden: Tensor = model.model(
        input_ids=input_ids,
        attention_mask=attention,
        position_ids=position_ids,
        use_cache=False,
        return_dict=True,
        **_encoder_outputs(images),
    ).last_hidden_state
    return hidden


def _additive(attention: Tensor, dtype: torch.dtype) -> Tensor:
    """0 where a token may look, -inf elsewhere; made once, so that no layer has to."""
    return torch.zeros_like(attention, dtype=dtype).masked_fill_(~attention, -torch.inf)


def _encoder_outputs(images: Sequence[Tensor]) -> dict[str, Any]:
    output = BaseModelOutputWithPooling(pooler_output=list(images))  # type: ignore[arg-type]
    return {"mm_encoder_outputs": {"image": output}}


def pool_grid(features: Tensor, grid: int, pool: int) -> Tensor:
    """Average (..., grid², D) features over pool x pool cells -> (..., (grid / pool)², D)."""
    *lead, _, width = features.shape
    small = grid // pool
    return (
        features.reshape(*lead, small, pool, small, pool, width)
        .mean((-4, -2))
        .reshape(*lead, small * small, width)
    )
