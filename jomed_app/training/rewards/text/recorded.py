"""A record of a corpus as a case whose answers are rewarded."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from jomed_app.data.records import CaseRecord
from jomed_app.data.tasks import Task
from jomed_app.imaging import read_image
from jomed_app.models.reader.protocol import RgbImage
from jomed_app.training.rewards.text.case import RewardedCase


def rewarded_case(task: Task, folder: Path, record: CaseRecord) -> RewardedCase:
    """What is true of a case; the box of a finding without one was never drawn."""
    boxes = [box.scaled(1 / record.columns, 1 / record.rows) for box in record.box_list]
    is_known = bool(boxes) or record.label in task.empty_labels
    return RewardedCase(
        partial(_image, folder, record),
        record.label,
        record.descriptors,
        boxes if is_known else None,
    )


def _image(folder: Path, record: CaseRecord) -> RgbImage:
    """The whole image, as the app reads an index's."""
    return read_image(record.image_in(folder), region=None).model_input
