"""The text for the report: a small form, empty at first, and lines to edit and copy."""

from __future__ import annotations

from dataclasses import dataclass

from jomed_app.data.tasks.report_words import ReportWords
from jomed_app.export.report_text import report_lines
from jomed_app.types import Result
from jomed_app.ui.protocol import TaskView
from jomed_app.ui.templates import Panel


@dataclass(frozen=True, slots=True)
class ReportText(Panel):
    """What is there before the reader chooses anything.

    Attributes:
        words: of the task.
        lines: of the text.
    """

    words: ReportWords
    lines: tuple[str, ...]

    @classmethod
    def of(cls, task: TaskView, result: Result | None, box_threshold: float) -> ReportText | None:
        """Return the text of one case; None where the task words none, or nothing was read.

        Args:
            task: of the engine.
            result: as it is shown.
            box_threshold: a box counts from this score on, in [0, 1].
        """
        if task.report is None or result is None or not result.candidates:
            return None
        lines = report_lines(task.report, result, finding=task.finding, box_threshold=box_threshold)
        return cls(task.report, tuple(lines))

    @property
    def hours(self) -> tuple[str, ...]:
        """That can be chosen."""
        return tuple(str(hour) for hour in range(1, self.words.hours + 1))

    @property
    def choices(self) -> dict[str, tuple[str, tuple[str, ...]]]:
        """Name of a choice -> its title and what can be chosen; none without a choice."""
        offered = {
            "side": ("side", self.words.sides),
            "hour": ("clock", self.hours),
            "category": (self.words.scale, self.words.categories),
        }
        return {name: each for name, each in offered.items() if each[1]}
