"""What the fine localizer says of one image, both read-outs joined."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from jomed_app.boxes import Box
from jomed_app.models.dense_boxes import suppress, vote
from jomed_app.models.localizer import EDGES, WINDOW_BINS, Located, peak_expectation

VOTE_OVERLAP = 0.6  # least IoU of cells whose boxes are averaged
SAME_BOX = 0.3  # IoU over which two boxes of the dense head are one
MOST_BOXES = 4
LEAST_SIDE = 1e-3  # of a box on the unit square


@dataclass(frozen=True, slots=True)
class Found:
    """What the fine localizer says of one image.

    Attributes:
        located: the main finding; its box is told by the location queries.
        boxes: of the dense head, best first, at least one.
        scores: of these boxes, in [0, 1].
        class_prob: (C,) sums to 1.
        attention: (h, w) sums to 1, where the class query looked.
    """

    located: Located
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
) -> Found:
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
    peaks = [peak_expectation(row, WINDOW_BINS) for row in edges]
    told = torch.tensor([value for value, _, _ in peaks])
    kept = suppress(boxes, scores, overlap=SAME_BOX, most=MOST_BOXES)
    voted = [vote(boxes[place], boxes, scores, overlap=VOTE_OVERLAP) for place in kept]
    presence = 1 - float(class_prob[empty_labels].sum())
    confidence = sum(mass for _, _, mass in peaks) / EDGES
    return Found(
        Located(whole_box(told), presence, confidence),
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
