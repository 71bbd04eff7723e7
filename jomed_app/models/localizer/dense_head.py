"""The dense head: every cell of a map says how sure it is of a finding and where its edges lie.

Source: FCOS, arXiv:1904.01355 (distances from a cell to four edges); generalized focal loss,
arXiv:2006.04388 (each distance a distribution, the score foretells the IoU). Ours: one map, since
an image rarely holds more than one finding, and distances on the unit square, so that one cell may
speak of a finding as large as the image.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from jomed_app.objectives.boxes.edges import box_iou


@dataclass(frozen=True, slots=True)
class DenseBoxes:
    """What every cell says.

    Attributes:
        scores: (B, P) logits of "a finding is centered near here".
        distance_logits: (B, P, 4, M) logits of the distances to left, top, right, bottom edge.
        class_logits: (B, P, C).
        boxes: (B, P, 4) expected XYXY on the unit square, not clipped.
    """

    scores: Tensor
    distance_logits: Tensor
    class_logits: Tensor
    boxes: Tensor


def cell_centers(rows: int, columns: int) -> Tensor:
    """Return (rows * columns, 2) x and y of the cell centers on the unit square, row by row."""
    down = (torch.arange(rows) + 0.5) / rows
    across = (torch.arange(columns) + 0.5) / columns
    return torch.stack(
        [across.expand(rows, columns), down[:, None].expand(rows, columns)], dim=-1
    ).reshape(-1, 2)


def boxes_from_distances(centers: Tensor, distances: Tensor) -> Tensor:
    """Return (..., P, 4) XYXY of (P, 2) centers and (..., P, 4) distances to the four edges."""
    return torch.cat([centers - distances[..., :2], centers + distances[..., 2:]], dim=-1)


class DenseHead(nn.Module):
    """Two convolutions each for scores and for edges, then one logit layer each.

    Args:
        width: channels of the map.
        num_labels: classes.
        distance_bins: bins of a distance, at least 2.
        reach: longest distance, share of the side.
    """

    def __init__(self, width: int, num_labels: int, distance_bins: int, reach: float) -> None:
        super().__init__()
        self.num_labels, self.distance_bins, self.reach = num_labels, distance_bins, reach
        self.judging = nn.Sequential(conv_block(width, width), conv_block(width, width))
        self.measuring = nn.Sequential(conv_block(width, width), conv_block(width, width))
        self.judge = nn.Conv2d(width, 1 + num_labels, 3, padding=1)
        self.measure = nn.Conv2d(width, 4 * distance_bins, 3, padding=1)

    def forward(self, neck: Tensor) -> DenseBoxes:
        """Read a map (B, width, h, w)."""
        judged = self.judge(self.judging(neck)).float().flatten(2).transpose(1, 2)
        measured = self.measure(self.measuring(neck)).float().flatten(2).transpose(1, 2)
        logits = measured.unflatten(-1, (4, self.distance_bins))
        steps = torch.linspace(0, self.reach, self.distance_bins, device=neck.device)
        distances = logits.softmax(-1) @ steps
        centers = cell_centers(*neck.shape[-2:]).to(neck.device)
        return DenseBoxes(
            judged[..., 0], logits, judged[..., 1:], boxes_from_distances(centers, distances)
        )


def conv_block(channels_in: int, channels_out: int, size: int = 3) -> nn.Sequential:
    """Convolution, group normalization, SiLU."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, size, padding=size // 2, bias=False),
        nn.GroupNorm(max(1, channels_out // 12), channels_out),
        nn.SiLU(),
    )


def suppress(boxes: Tensor, scores: Tensor, *, overlap: float, most: int) -> list[int]:
    """Non-maximum suppression: the best box, then every next one that none of them covers.

    Args:
        boxes: (N, 4) XYXY.
        scores: (N,) higher is better.
        overlap: a box that overlaps a better one by more IoU than this is dropped.
        most: boxes kept at most.

    Returns:
        Positions of the kept boxes, best first.
    """
    kept: list[int] = []
    for place in scores.argsort(descending=True).tolist():
        if len(kept) == most:
            break
        if not kept or box_iou(boxes[place], boxes[kept]).max() <= overlap:
            kept.append(place)
    return kept


def vote(box: Tensor, boxes: Tensor, scores: Tensor, *, overlap: float) -> Tensor:
    """Mean of the boxes that agree with one, weighed by score.

    Args:
        box: (4,) XYXY, one of `boxes`.
        boxes: (N, 4) XYXY.
        scores: (N,) probabilities.
        overlap: least IoU of a box that takes part.

    Returns:
        (4,) XYXY.
    """
    weight = scores * (box_iou(box, boxes) >= overlap)
    voted: Tensor = (weight[:, None] * boxes).sum(0) / weight.sum()
    return voted


def edge_prior(boxes: Tensor, scores: Tensor, bins: int, *, sharpness: float = 2.0) -> Tensor:
    """Say the cells' boxes in location bins: a mixture of bells, one per cell and edge.

    Args:
        boxes: (B, P, 4) XYXY on the unit square.
        scores: (B, P) logits; a cell's share is their softmax, sharpened.
        bins: location bins.
        sharpness: factor of the logits.

    Returns:
        (B, 4, bins) log-probabilities, nats.
    """
    share = (sharpness * scores).softmax(-1)
    centers = (torch.arange(bins, device=boxes.device) + 0.5) / bins
    distance = (centers - boxes[..., None].clamp(0, 1)) * bins
    bell = functional.softmax(-0.5 * distance.square(), dim=-1)
    mixed = torch.einsum("bp,bpel->bel", share, bell)
    return (mixed + 1e-4).log() - (mixed + 1e-4).sum(-1, keepdim=True).log()
