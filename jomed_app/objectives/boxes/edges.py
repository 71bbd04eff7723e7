"""Loss of box edges told as distributions over location bins.

Source: distribution focal loss, arXiv:2006.04388 (edges as distributions); generalized IoU,
arXiv:1902.09630. Ours: a bell over neighboring bins instead of the two nearest ones.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def edge_loss(edge_logits: Tensor, boxes: Tensor, *, sigma: float = 1.0) -> Tensor:
    """Cross-entropy of the edges plus 1 - GIoU of the expected box, averaged over boxes.

    Args:
        edge_logits: (B, 4, L) in the order x0, y0, x1, y1.
        boxes: (B, 4) XYXY on the unit square, x0 < x1, y0 < y1.
        sigma: width of the bell, bins, > 0.

    Returns:
        Scalar >= 0; zero when B is 0.

    Raises:
        ValueError: if the shapes do not fit.
    """
    if edge_logits.shape[:2] != boxes.shape:
        raise ValueError(
            f"edges (B, 4, L) and boxes (B, 4) must fit, found {tuple(edge_logits.shape)} and "
            f"{tuple(boxes.shape)}"
        )
    if not len(boxes):
        return edge_logits.sum() * 0.0
    bins = edge_logits.shape[-1]
    centers = (torch.arange(bins, device=boxes.device) + 0.5) / bins
    distance = (centers - boxes[..., None]) * bins / sigma
    bell = functional.softmax(-0.5 * distance.square(), dim=-1)
    log_prob = functional.log_softmax(edge_logits, dim=-1)
    told = (bell * (bell.clamp_min(1e-12).log() - log_prob)).sum(-1).mean()
    expected = (log_prob.exp() * centers).sum(-1)
    return told + (1 - generalized_iou(expected, boxes)).mean()


def generalized_iou(first: Tensor, second: Tensor) -> Tensor:
    """Return (B,) generalized IoU in [-1, 1] of (B, 4) XYXY boxes; inverted ones are empty."""
    width = torch.minimum(first[:, 2], second[:, 2]) - torch.maximum(first[:, 0], second[:, 0])
    height = torch.minimum(first[:, 3], second[:, 3]) - torch.maximum(first[:, 1], second[:, 1])
    overlap = width.clamp_min(0) * height.clamp_min(0)
    union = _area(first) + _area(second) - overlap
    hull_width = torch.maximum(first[:, 2], second[:, 2]) - torch.minimum(first[:, 0], second[:, 0])
    hull_height = torch.maximum(first[:, 3], second[:, 3]) - torch.minimum(
        first[:, 1], second[:, 1]
    )
    hull = (hull_width * hull_height).clamp_min(1e-9)
    return overlap / union.clamp_min(1e-9) - (hull - union) / hull


def box_iou(first: Tensor, second: Tensor) -> Tensor:
    """Return (...) IoU in [0, 1] of (..., 4) XYXY boxes, broadcast; inverted ones are empty."""
    low = torch.maximum(first[..., :2], second[..., :2])
    high = torch.minimum(first[..., 2:], second[..., 2:])
    overlap = (high - low).clamp_min(0).prod(-1)
    return overlap / (_area(first) + _area(second) - overlap).clamp_min(1e-9)


def _area(boxes: Tensor) -> Tensor:
    return (boxes[..., 2:] - boxes[..., :2]).clamp_min(0).prod(-1)
