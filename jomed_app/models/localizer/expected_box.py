"""The box that overlaps most, in expectation, with what the edges' distributions say.

Source: minimum Bayes risk decoding (Kumar and Byrne 2004): not the most probable answer is given,
but the one that loses least if any of the answers is true.
Ours: for boxes, with 1 - IoU as the loss. Four edges that are each most probable need not make a
box that is; on held-out lesions this box reaches IoU 0.5 more often.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from jomed_app.objectives.boxes.edges import box_iou

NUM_DRAWN = 512  # boxes that the expectation is taken over, and that may be the answer
NUM_JOINED = 16  # best of them, whose mean is the answer: finer than any one of them


def expected_overlap_box(edges: Tensor) -> Tensor:
    """Return the box of greatest expected IoU with boxes whose edges are drawn on their own.

    Draws are a fixed Sobol sequence through the inverse of each edge's distribution, even inside a
    bin, so the same distributions give the same box.

    Args:
        edges: (4, L) probabilities of location bins, in the order x0, y0, x1, y1.

    Returns:
        (4,) XYXY on the unit square, x0 <= x1 and y0 <= y1.
    """
    drawn = _draw(edges.float())
    low = torch.minimum(drawn[:, :2], drawn[:, 2:])
    boxes = torch.cat([low, torch.maximum(drawn[:, :2], drawn[:, 2:])], dim=-1)
    best = box_iou(boxes[:, None], boxes).mean(-1).topk(NUM_JOINED).indices
    return boxes[best].mean(0)


def _draw(edges: Tensor) -> Tensor:
    """(NUM_DRAWN, 4) places on the unit line, one per edge and draw."""
    bins = edges.shape[-1]
    ends = edges.cumsum(-1)
    ends = ends / ends[:, -1:]
    chances = _chances()
    place = torch.searchsorted(ends, chances).clamp_max(bins - 1)
    before = torch.where(place > 0, ends.gather(-1, (place - 1).clamp_min(0)), 0.0)
    inside = (chances - before) / (ends.gather(-1, place) - before).clamp_min(1e-9)
    return ((place + inside.clamp(0, 1)) / bins).T


@lru_cache
def _chances() -> Tensor:
    """(4, NUM_DRAWN) evenly spread numbers in (0, 1), always the same."""
    drawn = torch.quasirandom.SobolEngine(4, scramble=True, seed=0).draw(NUM_DRAWN)
    return drawn.clamp(1e-6, 1 - 1e-6).T.contiguous()
