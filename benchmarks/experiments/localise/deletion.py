"""The deletion test: does the answer's probability fall when the true box is painted over?

A model that looks where it points loses more by that than by losing an equal box elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jomed_app.boxes import Box, iou
from jomed_app.imaging.annotations import fill_marked

TRIES = 200  # random places tried for a box that fits


@dataclass(frozen=True, slots=True)
class DeletionScores:
    """What painting over changed, over all cases; NaN without any.

    Attributes:
        mean_drop: mean fall of the probability without the box, in [-1, 1].
        mean_drop_elsewhere: the same without an equal box elsewhere.
        mean_difference: mean of the first minus the second, per case.
        share_larger: share of cases that fall further without the box; ties count one half.
        num_cases: cases counted.
    """

    mean_drop: float
    mean_drop_elsewhere: float
    mean_difference: float
    share_larger: float
    num_cases: int


def deletion_scores(
    before: ArrayLike, without_box: ArrayLike, without_elsewhere: ArrayLike
) -> DeletionScores:
    """Summarize a deletion test of N cases.

    Args:
        before: (N,) probability of the answer on the whole image, in [0, 1].
        without_box: (N,) the same answer's with the true box painted over.
        without_elsewhere: (N,) the same answer's with an equal box elsewhere painted over.

    Raises:
        ValueError: if the lengths differ or a value is no probability.
    """
    rows = [np.asarray(each, dtype=np.float64) for each in (before, without_box, without_elsewhere)]
    if rows[0].ndim != 1 or len({row.shape for row in rows}) > 1:
        raise ValueError(
            "every case must have three probabilities, found "
            + ", ".join(str(row.shape) for row in rows)
        )
    whole, without, elsewhere = rows
    if not all(((row >= 0) & (row <= 1)).all() for row in rows):
        raise ValueError("probabilities must lie in [0, 1], found others; check the model")
    if not len(whole):
        return DeletionScores(math.nan, math.nan, math.nan, math.nan, 0)
    difference = elsewhere - without
    return DeletionScores(
        mean_drop=float((whole - without).mean()),
        mean_drop_elsewhere=float((whole - elsewhere).mean()),
        mean_difference=float(difference.mean()),
        share_larger=float(((difference > 0) + 0.5 * (difference == 0)).mean()),
        num_cases=len(whole),
    )


def equal_box_elsewhere(
    box: Box, avoid: Sequence[Box], columns: int, rows: int, rng: np.random.Generator
) -> Box | None:
    """Draw a box of the same size that touches no lesion.

    Args:
        box: px of the image, inside it.
        avoid: every true box of the image, `box` among them or not.
        columns: width of the image, px.
        rows: height of the image, px.
        rng: draws the place, evenly over those where the box fits.

    Returns:
        None when no free place was found: leave the case out.
    """
    for _ in range(TRIES):
        x0 = rng.uniform(0, max(0.0, columns - box.width))
        y0 = rng.uniform(0, max(0.0, rows - box.height))
        drawn = Box(x0, y0, x0 + box.width, y0 + box.height)
        if all(iou(drawn, lesion) == 0 for lesion in (box, *avoid)):
            return drawn
    return None


def paint_over(image: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    """Fill a box with what surrounds it.

    Args:
        image: (rows, columns, 3) RGB.
        box: px; every pixel that it touches is filled.

    Returns:
        A new image; an image that the box covers whole comes back as it is.
    """
    marked = np.zeros(image.shape[:2], dtype=bool)
    top, left = max(0, math.floor(box.y0)), max(0, math.floor(box.x0))
    marked[top : max(0, math.ceil(box.y1)), left : max(0, math.ceil(box.x1))] = True
    return fill_marked(image, marked)
