"""How far two runs over the same images lie apart: probabilities, diagnoses, candidates, boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import mean

from jomed_app.boxes import Box, iou
from jomed_app.types import BoxResult, Result

MOVED_IOU = 0.95  # a box with less in common than this has moved


@dataclass(frozen=True, slots=True)
class Difference:
    """One way to compute against another, over the same images.

    Attributes:
        images: that both answered.
        largest, mean: absolute difference of a label's final probability; of each image the label
            that differs most counts.
        diagnoses: images whose diagnosis differs; one answered and one not is such a difference.
        states: images whose consistency state differs.
        candidates: images whose set of candidates differs.
        boxes: images whose boxes moved (IoU below `MOVED_IOU`), came or went.
        farthest_px: the farthest that an edge of a box present in both moved.
    """

    images: int
    largest: float
    mean: float
    diagnoses: int
    states: int
    candidates: int
    boxes: int
    farthest_px: float

    def to_dict(self) -> dict[str, float]:
        """Plain values."""
        return asdict(self)


def compare(ours: Sequence[Result], theirs: Sequence[Result]) -> Difference:
    """Compare results image by image.

    Args:
        ours: one per image.
        theirs: of the same images in the same order.

    Raises:
        ValueError: if the images differ in size, or neither run answered one.
    """
    pairs = list(zip(ours, theirs, strict=True))
    if any(size_of(one) != size_of(other) for one, other in pairs):
        raise ValueError("results must be of the same images in the same order; run both again")
    both = [pair for pair in pairs if all(each.final.probabilities for each in pair)]
    if not both:
        raise ValueError("one image or more must be answered by both runs, found none")
    apart = [probability_difference(one, other) for one, other in both]
    edges = [edge_difference(one.boxes, other.boxes) for one, other in both]
    return Difference(
        images=len(both),
        largest=max(apart),
        mean=mean(apart),
        diagnoses=sum(one.final.prediction != other.final.prediction for one, other in pairs),
        states=sum(one.consistency.state != other.consistency.state for one, other in pairs),
        candidates=sum(candidate_ids(one) != candidate_ids(other) for one, other in pairs),
        boxes=sum(has_moved(one.boxes, other.boxes) for one, other in pairs),
        farthest_px=max(edges),
    )


def probability_difference(one: Result, other: Result) -> float:
    """Largest absolute difference of a label's final probability, in [0, 1]."""
    known = one.final.probabilities
    return max(abs(known[label] - p) for label, p in other.final.probabilities.items())


def size_of(result: Result) -> tuple[int, int]:
    """Rows and columns of the image; a result holds nothing else that tells images apart."""
    return result.input.rows, result.input.columns


def candidate_ids(result: Result) -> frozenset[str]:
    """The candidates of a result, in any order."""
    return frozenset(each.candidate_id for each in result.candidates)


def has_moved(ours: Sequence[BoxResult], theirs: Sequence[BoxResult]) -> bool:
    """Whether a box came, went or has less in common than `MOVED_IOU`; boxes pair up in order."""
    if len(ours) != len(theirs):
        return True
    pairs = zip(ours, theirs, strict=True)
    return any(iou(Box(*corners(one)), Box(*corners(other))) < MOVED_IOU for one, other in pairs)


def edge_difference(ours: Sequence[BoxResult], theirs: Sequence[BoxResult]) -> float:
    """Farthest that an edge of a box present in both moved, px; 0 without such a box."""
    return max(
        (
            abs(before - after)
            for one, other in zip(ours, theirs, strict=False)
            for before, after in zip(corners(one), corners(other), strict=True)
        ),
        default=0.0,
    )


def corners(box: BoxResult) -> tuple[float, float, float, float]:
    """XYXY, px."""
    return box.x0, box.y0, box.x1, box.y1
