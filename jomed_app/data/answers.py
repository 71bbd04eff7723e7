"""Answer texts: how a class, a box and descriptors are put into the words a reader is tuned on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jomed_app.boxes import Box
from jomed_app.data.tasks import Task
from jomed_app.prompts import location_token


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
        text += "".join(location_token(index) for index in box_bins(reading.box, num_bins))
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
