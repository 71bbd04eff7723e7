"""Where the reader itself says that a finding is, where no localizer stands beside it."""

from __future__ import annotations

from typing import Any

from jomed_app.boxes import Box
from jomed_app.data.tasks import Task
from jomed_app.inference.calibration.box_score import BoxScore
from jomed_app.models.reader.protocol import Attending, Encoding, FloatArray, Locating, Reader
from jomed_app.types import BoxResult, FinalResult, HeatMap, ImageRecord

NO_BOX = "The reader says that there is no {finding} to enclose."
LEAST_ATTENTION = 1e-12
UNREADABLE = "Where the {finding} is, the reader said in words that cannot be read as a box."


def place_of_reader(
    reader: Reader,
    query: Encoding,
    question: str,
    image: ImageRecord,
    task: Task,
    final: FinalResult,
    label: str,
) -> dict[str, Any]:
    """Boxes, heat map and a sentence on both, of whatever the reader is able to.

    A box's score is the final answer's probability of a finding: the reader states none.

    Args:
        reader: may be able to locate, to attend, or neither.
        query: the encoded image.
        question: that was asked.
        image: whose region was read.
        task: names the finding.
        final: the probabilities.
        label: the most probable label; its words are what attention is asked of.
    """
    shown: dict[str, Any] = {}
    if task.has_boxes and isinstance(reader, Locating):
        found = reader.locate(query, task.finding)
        shown["boxes"] = _boxes(found or [], image, task, final, label)
        if not found:
            words = UNREADABLE if found is None else NO_BOX
            shown["report"] = words.format(finding=task.finding)
    if isinstance(reader, Attending):
        shown["heatmap"] = _heat_map(reader.attend(query, question, label))
    return shown


def _boxes(
    found: list[Box], image: ImageRecord, task: Task, final: FinalResult, label: str
) -> tuple[BoxResult, ...]:
    """Boxes of the unit square of what was read, in px of the image."""
    rows, columns = image.size_px
    region = image.info.region
    left, top = (region.x0, region.y0) if region else (0, 0)
    probabilities = [final.probabilities.get(name, 0.0) for name in task.labels]
    empty = [task.labels.index(name) for name in task.empty_labels]
    sure = BoxScore().of_answer(probabilities, empty, presence=0.5, dense=0.5)
    name = task.finding if label in task.empty_labels else label
    placed = [box.scaled(columns, rows).shifted(left, top).as_tuple() for box in found]
    return tuple(
        BoxResult(x0=x0, y0=y0, x1=x1, y1=y1, score=sure, label=name) for x0, y0, x1, y1 in placed
    )


def _heat_map(heat: FloatArray) -> HeatMap:
    """Attention over the region that was read, in shares of its maximum."""
    shares = heat / max(float(heat.max()), LEAST_ATTENTION)
    rows, columns = shares.shape
    return HeatMap(rows=rows, columns=columns, values=tuple(shares.flatten().tolist()))
