"""Contrastive alignment of image and passage embeddings.

Source: InfoNCE, arXiv:1807.03748, in the symmetric form of CLIP, arXiv:2103.00020 section 2.3.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def info_nce_loss(
    image_embeddings: Tensor, text_embeddings: Tensor, temperature: Tensor | float
) -> Tensor:
    """Symmetric InfoNCE; row i of one side belongs to row i of the other.

    Ours: texts that are equal word for word (identical unit rows) count as one, so a pair is not
    pushed apart from its own double: their share of the target is split evenly.

    Args:
        image_embeddings: (B, D) unit rows.
        text_embeddings: (B, D) unit rows.
        temperature: > 0; inner products are divided by it.

    Returns:
        Scalar, nats, mean of both directions over the batch, >= 0 up to rounding.

    Raises:
        ValueError: if the shapes differ or B < 2.
    """
    if image_embeddings.shape != text_embeddings.shape or image_embeddings.shape[0] < 2:
        raise ValueError(
            "both embeddings must have one shape (B, D) with B >= 2, found "
            f"{tuple(image_embeddings.shape)} and {tuple(text_embeddings.shape)}"
        )
    logits = image_embeddings @ text_embeddings.T / temperature
    with torch.no_grad():
        same = (text_embeddings @ text_embeddings.T > 1 - 1e-5).float()
        same.fill_diagonal_(1.0)
        target = same / same.sum(-1, keepdim=True)
    to_text = -(target * functional.log_softmax(logits, dim=-1)).sum(-1)
    to_image = -(target * functional.log_softmax(logits.T, dim=-1)).sum(-1)
    floor = -(target * target.clamp_min(1e-12).log()).sum(-1)
    return (0.5 * (to_text + to_image) - floor).mean()
