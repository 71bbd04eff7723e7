"""Loss of the reader: weighted next-token likelihood of the answer, boxes told softly.

Source: arXiv:2508.17394, stage 1: negative log-likelihood of the answer tokens only.
Ours: tokens carry weights, and a location token is told as a bell over neighboring bins, so that
being one bin off costs less than being thirty off.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def answer_loss(
    logits: Tensor,
    targets: Tensor,
    weights: Tensor,
    location_ids: Tensor,
    *,
    location_sigma: float = 1.0,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Weighted mean of the answer tokens' negative log-likelihood.

    Args:
        logits: (N, V), one row per answer token.
        targets: (N,) token ids.
        weights: (N,) >= 0, not all zero.
        location_ids: (L,) ids of the location tokens, low to high.
        location_sigma: width of the bell, in bins, > 0.
        label_smoothing: share of a non-location target spread over the vocabulary, in [0, 1).

    Returns:
        Scalar, nats per unit of weight.

    Raises:
        ValueError: if all weights are zero.
    """
    total = weights.sum()
    if not total > 0:
        raise ValueError("at least one answer token must have a weight above zero")
    log_prob = functional.log_softmax(logits.float(), dim=-1)
    loss = -log_prob.gather(-1, targets[:, None])[:, 0]
    if label_smoothing:
        loss = (1 - label_smoothing) * loss - label_smoothing * log_prob.mean(-1)
    is_location = torch.isin(targets, location_ids)
    if is_location.any():
        bins = torch.arange(len(location_ids), dtype=torch.float32, device=logits.device)
        place = (targets[is_location][:, None] == location_ids[None]).float().argmax(-1)
        bell = functional.softmax(
            -0.5 * ((bins[None] - place[:, None]) / location_sigma).square(), dim=-1
        )
        soft = -(bell * log_prob[is_location][:, location_ids]).sum(-1)
        loss = loss.masked_scatter(is_location, soft)
    return (loss * weights).sum() / total
