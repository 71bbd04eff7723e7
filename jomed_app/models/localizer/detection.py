"""What the localizer says of one image, both read-outs joined."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from jomed_app.boxes import Box
from jomed_app.models.localizer.dense_head import suppress, vote
from jomed_app.models.localizer.edge_queries import EDGES
from jomed_app.models.localizer.expected_box import expected_overlap_box
from jomed_app.models.pixels import Letterbox

WINDOW_BINS = 5  # the expected place is taken over this many bins to either side of the peak
VOTE_OVERLAP = 0.6  # least IoU of cells whose boxes are averaged
SAME_BOX = 0.3  # IoU over which two boxes of the dense head are one
MOST_BOXES = 4
LEAST_SIDE = 1e-3  # of a box on the unit square


@dataclass(frozen=True, slots=True)
class Detection:
    """What the localizer says of one image.

    Attributes:
        box: of the main finding, told by the location queries, on the unit square of the input.
        presence: probability in [0, 1] that there is a finding at all, told by the class query.
        confidence: share of the edges' mass near their peaks, in [0, 1].
        boxes: of the dense head, best first, at least one.
        scores: of these boxes, in [0, 1].
        class_prob: (C,) sums to 1.
        attention: (h, w) sums to 1, where the class query looked.
    """

    box: Box
    presence: float
    confidence: float
    boxes: tuple[Box, ...]
    scores: tuple[float, ...]
    class_prob: Tensor
    attention: Tensor


def join_readings(
    edges: Tensor,
    class_prob: Tensor,
    attention: Tensor,
    boxes: Tensor,
    scores: Tensor,
    empty_labels: list[int],
) -> Detection:
    """Join both read-outs of one image.

    Ours: the queries' box is the one that counts, since it was the better one on held-out lesions.

    Args:
        edges: (4, L) probabilities.
        class_prob: (C,).
        attention: (h, w).
        boxes: (P, 4) of all cells.
        scores: (P,) of these boxes, in [0, 1].
        empty_labels: classes without a finding.
    """
    masses = [peak_expectation(row, WINDOW_BINS)[2] for row in edges]
    kept = suppress(boxes, scores, overlap=SAME_BOX, most=MOST_BOXES)
    voted = [vote(boxes[place], boxes, scores, overlap=VOTE_OVERLAP) for place in kept]
    presence = 1 - float(class_prob[empty_labels].sum())
    confidence = sum(masses) / EDGES
    return Detection(
        whole_box(expected_overlap_box(edges)),
        presence,
        confidence,
        tuple(whole_box(box) for box in voted),
        tuple(scores[kept].tolist()),
        class_prob,
        attention,
    )


def whole_box(edges: Tensor) -> Box:
    """Order the edges, clip them to the unit square and leave no side empty."""
    x0, y0, x1, y1 = edges.clamp(0, 1).tolist()
    (x0, x1), (y0, y1) = sorted((x0, x1)), sorted((y0, y1))
    x0, y0 = min(x0, 1 - LEAST_SIDE), min(y0, 1 - LEAST_SIDE)
    return Box(x0, y0, max(x1, x0 + LEAST_SIDE), max(y1, y0 + LEAST_SIDE))


def peak_expectation(probability: Tensor, window: int) -> tuple[float, int, float]:
    """Locate a value by its bins: the mean around the highest one.

    Ours: finer than the bin itself, and deaf to a second peak far away.

    Args:
        probability: (L,) >= 0, not all zero.
        window: bins to either side of the peak that count.

    Returns:
        The value on [0, 1], the peak's bin, and the share of the mass inside the window.
    """
    total = probability.sum()
    peak = int(probability.argmax())
    low, high = max(0, peak - window), min(len(probability), peak + window + 1)
    inside = probability[low:high]
    centers = (torch.arange(low, high, dtype=torch.float32) + 0.5) / len(probability)
    value = float((inside * centers).sum() / inside.sum())
    return value, peak, float(inside.sum() / total)


def heat_in_image(attention: Tensor, place: Letterbox) -> Tensor:
    """Cut the letterbox's borders off a map and scale it to 0..1 of its maximum.

    Args:
        attention: (h, w) >= 0 over the letterboxed square, not all zero.
        place: how the image lies in that square.

    Returns:
        (rows, columns) over the image, with about as many cells as lie on it; all zero where
        nothing but the borders was looked at.
    """
    cells, (width, height), (left, top) = attention.shape[-1], place.size, place.offset
    rows, columns = (max(1, round(cells * size / place.side)) for size in (height, width))
    y = (top + (torch.arange(rows) + 0.5) * height / rows) / place.side
    x = (left + (torch.arange(columns) + 0.5) * width / columns) / place.side
    grid = torch.stack([x.expand(rows, -1), y[:, None].expand(-1, columns)], dim=-1)
    heat = functional.grid_sample(
        attention.float()[None, None],
        2 * grid[None] - 1,
        padding_mode="border",
        align_corners=False,
    )[0, 0]
    return heat / heat.max().clamp_min(torch.finfo(heat.dtype).tiny)
