"""Losses of a dense box head: every cell near a finding's center learns its edges and its worth.

Source: generalized focal loss, arXiv:2006.04388 (the score foretells the IoU; a distance is a
distribution whose two nearest bins are taught); generalized IoU, arXiv:1902.09630; center
sampling, FCOS, arXiv:1904.01355. Ours: a cell is taught when it lies in the middle half of a box,
whatever the box's size, since there is one map only.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from jomed_app.objectives.boxes.edges import box_iou, generalized_iou

CORE = 0.5  # share of a box's width and height, around its center, whose cells are taught
LEAST_WEIGHT = 0.1  # of a taught cell whose box is still wrong


def assign_cells(centers: Tensor, boxes: Tensor) -> Tensor:
    """Give every cell in a box's core to that box, to the smallest one where cores overlap.

    Args:
        centers: (P, 2) x and y on the unit square.
        boxes: (B, K, 4) XYXY on the unit square, NaN for none.

    Returns:
        (B, P) number of the box, -1 for none. A box has its nearest cell at least, unless a
        smaller box takes it.
    """
    is_there = boxes.isfinite().all(-1)
    clean = boxes.nan_to_num(0.0)
    middle, size = (clean[..., :2] + clean[..., 2:]) / 2, clean[..., 2:] - clean[..., :2]
    away = (centers - middle[:, :, None]).abs()
    inside = (away <= CORE / 2 * size[:, :, None]).all(-1)
    nearest = away.square().sum(-1).argmin(-1, keepdim=True)
    inside = inside.scatter(2, nearest, True) & is_there[..., None]
    area = size.prod(-1)[..., None].expand_as(inside).masked_fill(~inside, torch.inf)
    smallest, number = area.min(1)
    return number.masked_fill(smallest.isinf(), -1)


def dense_loss(
    scores: Tensor,
    distance_logits: Tensor,
    class_logits: Tensor,
    predicted: Tensor,
    centers: Tensor,
    boxes: Tensor,
    labels: Tensor,
    *,
    reach: float,
) -> dict[str, Tensor]:
    """Losses of scores, boxes, distance distributions and classes.

    Args:
        scores: (B, P) logits.
        distance_logits: (B, P, 4, M) left, top, right, bottom; bins from 0 to `reach`.
        class_logits: (B, P, C).
        predicted: (B, P, 4) boxes that the distances stand for, XYXY on the unit square.
        centers: (P, 2) of the cells.
        boxes: (B, K, 4) true boxes, NaN for none.
        labels: (B,) class of the image.
        reach: longest distance.

    Returns:
        Scalars >= 0: "score" per taught cell, over all cells; "giou", "spread" and "kind"
        averaged over taught cells, weighed by IoU; these three are zero where none is taught.

    Raises:
        ValueError: if cells and predictions do not fit.
    """
    if predicted.shape != (*scores.shape, 4) or centers.shape != (scores.shape[1], 2):
        raise ValueError(
            f"boxes (B, P, 4) and centers (P, 2) must fit scores {tuple(scores.shape)}, found "
            f"{tuple(predicted.shape)} and {tuple(centers.shape)}"
        )
    owner = assign_cells(centers, boxes)
    row, cell = (owner >= 0).nonzero(as_tuple=True)
    truth, found = boxes[row, owner[row, cell]], predicted[row, cell]
    target = torch.zeros_like(scores)
    target[row, cell] = box_iou(found, truth).detach()
    weight = target[row, cell].clamp_min(LEAST_WEIGHT)
    weight = weight / weight.sum().clamp_min(LEAST_WEIGHT)
    distances = torch.cat([centers[cell] - truth[:, :2], truth[:, 2:] - centers[cell]], dim=-1)
    told = two_bin_loss(distance_logits[row, cell], distances / reach).mean(-1)
    kind = functional.cross_entropy(class_logits[row, cell], labels[row], reduction="none")
    wrong = functional.binary_cross_entropy_with_logits(scores, target, reduction="none")
    focus = (scores.detach().sigmoid() - target).square()
    return {
        "score": (focus * wrong).sum() / max(1, len(row)),
        "giou": (weight * (1 - generalized_iou(found, truth))).sum(),
        "spread": (weight * told).sum(),
        "kind": (weight * kind).sum(),
    }


def two_bin_loss(logits: Tensor, values: Tensor) -> Tensor:
    """Cross-entropy with the two bins around a value, each by its nearness, nats.

    Args:
        logits: (..., M), bins from 0 to 1, M >= 2.
        values: (...) in [0, 1]; others are clipped.

    Returns:
        (...) >= 0.
    """
    last = logits.shape[-1] - 1
    place = values.clamp(0, 1) * last
    low = place.floor().clamp_max(last - 1)
    above = place - low
    low = low.long()[..., None]
    log_prob = logits.log_softmax(-1)
    lower, upper = (log_prob.gather(-1, low + step)[..., 0] for step in (0, 1))
    return -(lower * (1 - above) + upper * above)
