"""The form in which a reader judges an answer, its similar cases and its boxes."""

from __future__ import annotations

from dataclasses import dataclass

from jomed_app.feedback.judgement import MOST_WORDS, REASONS
from jomed_app.types import Result
from jomed_app.ui.templates import Panel


@dataclass(frozen=True, slots=True)
class Form(Panel):
    """One form a finished case.

    Attributes:
        result: that is shown.
        labels: of the task.
        threshold: score at or above which a box is asked about, in [0, 1].
    """

    result: Result
    labels: tuple[str, ...]
    threshold: float

    @property
    def reasons(self) -> tuple[str, ...]:
        """The short list."""
        return REASONS

    @property
    def most_words(self) -> int:
        """Characters of free text."""
        return MOST_WORDS

    @property
    def cases(self) -> dict[str, str]:
        """Candidate -> what it is called on the page."""
        return {
            each.candidate_id: f"#{each.rank}, known: {each.label}"
            for each in self.result.candidates
        }

    @property
    def places(self) -> dict[int, str]:
        """Number of a box that is drawn at first -> what it is called."""
        return {
            number: f"{box.label} {box.score:.2f}"
            for number, box in enumerate(self.result.boxes)
            if box.score >= self.threshold
        }
