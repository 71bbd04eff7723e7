"""The bar below the page while a case is revealed: keep or change what was said, and go on."""

from __future__ import annotations

from dataclasses import dataclass

from jomed_app.ui.panels.study.form import asked_about
from jomed_app.ui.protocol import TaskView
from jomed_app.ui.study.own_read import CONFIDENCES, OwnRead
from jomed_app.ui.study.study import STEPS, Step, Study
from jomed_app.ui.templates import Panel

NEXT = {
    Step.CASES: "Show your image, read beside each",
    Step.READINGS: "Show the answer",
    Step.ANSWER: "Show where",
    Step.PLACES: "Finish",
}
SHOWN = {
    Step.CASES: "similar cases",
    Step.READINGS: "readings beside each",
    Step.ANSWER: "answer",
    Step.PLACES: "boxes, heat map, descriptors",
}


@dataclass(frozen=True, slots=True)
class Bar(Panel):
    """One step after the unaided read, or what came of the read once it is done.

    Attributes:
        step: what is shown.
        first: what was said before anything was shown; None where the read was skipped at once.
        last: what was said last.
        scale: title of the scale.
        choices: category -> meaning.
        positive: what the probability is asked of.
        known: the diagnosis of the case, once the read is done and where it is known; else empty.
        may_skip: whether everything may be shown at once.
        is_skipped: whether it was.
        first_acts, last_acts: whether the reader would act on the first and on the last read.
        is_right: whether the last read is, where the diagnosis is known.
    """

    step: Step
    first: OwnRead | None
    last: OwnRead | None
    scale: str
    choices: dict[str, str]
    positive: str
    known: str
    may_skip: bool
    is_skipped: bool
    first_acts: bool = False
    last_acts: bool = False
    is_right: bool | None = None

    @classmethod
    def of(cls, study: Study, task: TaskView, may_skip: bool, known: str) -> Bar:
        """Return the bar of a study.

        Args:
            study: past its first step.
            task: its scale and its positive label.
            may_skip: whether everything may be shown at once.
            known: the diagnosis of the case, once it may be told.
        """
        first = study.given[0].read if study.given else None
        last = study.last
        acts = last is not None and last.calls_positive(task)
        is_told = bool(known and task.positive_label and last is not None)
        return cls(
            step=study.step,
            first=first,
            last=last,
            scale=task.assessment.title,
            choices=task.assessment.choices,
            positive=asked_about(task),
            known=known,
            may_skip=may_skip,
            is_skipped=study.is_skipped,
            first_acts=first is not None and first.calls_positive(task),
            last_acts=acts,
            is_right=acts == (known == task.positive_label) if is_told else None,
        )

    @property
    def is_done(self) -> bool:
        """Whether all was said."""
        return self.step is Step.DONE

    @property
    def is_last(self) -> bool:
        """Whether all is shown, and the last word is to be said."""
        return self.step is Step.PLACES

    @property
    def next_words(self) -> str:
        """What the button shows next."""
        return NEXT[self.step]

    @property
    def shown_words(self) -> str:
        """What is new on the page."""
        return SHOWN[self.step]

    @property
    def place(self) -> str:
        """How far the read is, such as 2 of 5."""
        return f"{STEPS.index(self.step) + 1} of {len(STEPS) - 1}"

    @property
    def confidences(self) -> tuple[str, ...]:
        """Words of confidence."""
        return CONFIDENCES
