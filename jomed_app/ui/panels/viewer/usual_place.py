"""Where similar cases show their finding: their known boxes over the query, and a sentence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from jomed_app.boxes import Box
from jomed_app.types import CandidateResult
from jomed_app.ui import text
from jomed_app.ui.reading import Reading

ZONE_ROWS = ("upper", "", "lower")
ZONE_COLUMNS = ("left", "middle", "right")
CENTER = "center"


def usual_value(reading: Reading) -> dict[str, Any]:
    """Return the candidates' known boxes as JSON data, in fractions of their own images.

    Args:
        reading: its candidates are those that take part in the sum.

    Returns:
        `boxes` with x0, y0, x1, y1 in [0, 1], `strength` in [0, 1] (weight by the largest) and
        `label` (rank and weight; on the largest box of each case alone); `words` and `ready`.
    """
    candidates = reading.candidates
    most = max((each.weight for each in candidates), default=0.0)
    boxes = []
    for each in candidates:
        for number, box in enumerate(relative_boxes(each)):
            boxes.append(
                {
                    "x0": box.x0,
                    "y0": box.y0,
                    "x1": box.x1,
                    "y1": box.y1,
                    "strength": each.weight / most if most else 1.0,
                    "label": f"#{each.rank} {each.weight:.2f}" if number == 0 else "",
                }
            )
    words = usual_words(candidates) if candidates else text.USUAL_WAITING
    note = f" {text.USUAL_NOTE}" if boxes else ""
    return {"boxes": boxes, "words": words + note, "ready": bool(candidates)}


def relative_boxes(candidate: CandidateResult) -> list[Box]:
    """Return a candidate's known boxes in fractions of its own image, largest first."""
    if not candidate.rows or not candidate.columns:
        return []
    scale = np.array([candidate.columns, candidate.rows] * 2, dtype=np.float64)
    inside = [np.clip(np.asarray(box) / scale, 0.0, 1.0).tolist() for box in candidate.boxes]
    boxes = [Box(*edges) for edges in inside if edges[0] < edges[2] and edges[1] < edges[3]]
    return sorted(boxes, key=lambda box: -box.area)


def zone_of(box: Box) -> str:
    """Return in which ninth of the image a box in [0, 1] has its middle, in words."""
    x, y = box.center
    row, column = ZONE_ROWS[min(2, int(y * 3))], ZONE_COLUMNS[min(2, int(x * 3))]
    if not row:
        return CENTER if column == "middle" else f"middle {column}"
    return f"{row} {column}"


def usual_words(candidates: Sequence[CandidateResult]) -> str:
    """Return where similar cases show their finding, by the largest known box of each.

    Args:
        candidates: at least one.
    """
    total = len(candidates)
    cases = f"{total} similar case{'' if total == 1 else 's'}"
    weights: dict[str, list[float]] = defaultdict(list)
    for each in candidates:
        if boxes := relative_boxes(each):
            weights[zone_of(boxes[0])].append(each.weight)
    placed = sum(map(len, weights.values()))
    if not placed:
        return f"Of {cases}, none has a known box: there is no usual place to show."
    without = total - placed
    rest = f"; {without} {'has' if without == 1 else 'have'} no known box." if without else "."
    most = max(map(len, weights.values()))
    if most == 1 and placed > 1:
        return f"In {placed} of {cases} the findings lie in {placed} different places{rest}"
    leaders = [zone for zone in weights if len(weights[zone]) == most]
    leaders.sort(key=lambda zone: -sum(weights[zone]))
    shares = [f"(weight {sum(weights[zone]):.2f})" for zone in leaders]
    words = f"In {most} of {cases} {shares[0]} the finding lies in the {leaders[0]}"
    for zone, share in zip(leaders[1:], shares[1:], strict=True):
        words += f", in {most} {share} in the {zone}"
    elsewhere = placed - most * len(leaders)
    other = f"; {elsewhere} elsewhere" if elsewhere else ""
    return f"{words} of the image{other}{rest}"
