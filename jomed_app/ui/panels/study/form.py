"""The form of the unaided read: what is seen, the category, a probability, a confidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jomed_app.data.tasks.assessment import Assessment
from jomed_app.ui.protocol import TaskView
from jomed_app.ui.study.own_read import CONFIDENCES
from jomed_app.ui.templates import Panel


def asked_about(task: TaskView) -> str:
    """Return what a probability is asked of, in words."""
    return task.positive_label or f"a {task.finding}"


@dataclass(frozen=True, slots=True)
class Form(Panel):
    """Made from the task alone: no image, no result.

    Attributes:
        task: its scale, its descriptors and its positive label.
        may_skip: whether everything may be shown at once.
    """

    task: TaskView
    may_skip: bool

    @property
    def scale(self) -> Assessment:
        """Of the categories."""
        return self.task.assessment

    @property
    def descriptors(self) -> Mapping[str, tuple[str, ...]]:
        """What can be ticked: descriptor -> values."""
        return self.task.descriptors

    @property
    def positive(self) -> str:
        """What the probability is asked of."""
        return asked_about(self.task)

    @property
    def confidences(self) -> tuple[str, ...]:
        """Words of confidence."""
        return CONFIDENCES
