"""Answer texts: how a class, a box and descriptors are put into the words a reader is tuned on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jomed_app.boxes import Box
from jomed_app.data.tasks import Task
from jomed_app.data.wording.prompts import location_token


@dataclass(frozen=True, slots=True)
class Reading:
    """What an answer says: a class, a box on the unit square and descriptor values (or None)."""

    label: str
    box: Box | None = None
    descriptors: Mapping[str, str] | None = None


def box_bins(box: Box, num_bins: int) -> tuple[int, int, int, int]:
    """Quantize a box on the unit square to bins (x0, y0, x1, y1); bin centers stand for values."""
    x0, y0, x1, y1 = (min(num_bins - 1, max(0, int(v * num_bins))) for v in box.as_tuple())
    return x0, y0, x1, y1


def bins_box(bins: Sequence[int], num_bins: int) -> Box | None:
    """Read a box back from its bins (x0, y0, x1, y1), on the unit square.

    Ours: an edge lies at its bin's center, half a bin off at most. Edges that share a bin lie a
    sixth of a bin to either side of the center, which is where such edges are on average.

    Returns:
        None when the bins are inverted: an edge that must come later comes first.
    """
    low_x, low_y, high_x, high_y = bins
    if low_x > high_x or low_y > high_y:
        return None
    x0, x1 = _edges(low_x, high_x, num_bins)
    y0, y1 = _edges(low_y, high_y, num_bins)
    return Box(x0, y0, x1, y1)


def _edges(low: int, high: int, num_bins: int) -> tuple[float, float]:
    """Places of two edges on [0, 1]."""
    apart = 1 / 6 if low == high else 0.0
    return (low + 0.5 - apart) / num_bins, (high + 0.5 + apart) / num_bins


def box_text(box: Box, num_bins: int) -> str:
    """Word a box on the unit square: its four location tokens, nothing between them."""
    return "".join(location_token(index) for index in box_bins(box, num_bins))


def answer_text(task: Task, reading: Reading, num_bins: int) -> tuple[str, bool]:
    """Word an answer: label, box where the task has boxes, descriptor values in the task's order.

    Returns:
        The text and whether it is complete. An answer without box or descriptors where the task
        asks for them is a true beginning only: it is trained on without an end token.
    """
    text = f" {reading.label}"
    if reading.label in task.empty_labels:
        return text, True
    if task.has_boxes:
        if reading.box is None:
            return text, False
        text += box_text(reading.box, num_bins)
    for name in task.descriptors:
        if reading.descriptors is None or name not in reading.descriptors:
            return text, False
        text += f" {reading.descriptors[name]}"
    return text, True


def report_sentence(task: Task, label: str, findings: Mapping[str, str]) -> str:
    """One sentence of findings for the screen, from the most probable descriptor values."""
    if label in task.empty_labels or not findings:
        return f"No {task.finding} described." if label in task.empty_labels else ""
    parts = [f"{name} {value}" for name, value in findings.items()]
    return f"{task.finding.capitalize()}: " + ", ".join(parts) + "."
