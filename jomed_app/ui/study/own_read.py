"""What a reader says of an image, and how what the page sent is checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jomed_app.errors import ReadError
from jomed_app.ui.protocol import TaskView

CONFIDENCES = ("low", "medium", "high")


@dataclass(frozen=True, slots=True)
class OwnRead:
    """One read.

    Attributes:
        category: of the task's scale.
        probability: of the task's positive label, 0 to 100.
        confidence: one of `CONFIDENCES`.
        findings: descriptor -> value, those that were ticked; empty where the reader sees none.
    """

    category: str
    probability: int
    confidence: str
    findings: Mapping[str, str]

    def calls_positive(self, task: TaskView) -> bool:
        """Whether the reader would act on it, by the category."""
        return task.assessment.acts(self.category)


def own_read_of(
    sent: Mapping[str, object], task: TaskView, before: OwnRead | None = None
) -> OwnRead:
    """Return the read that the page sent.

    Args:
        sent: "category", "probability", "confidence", and at first "findings" or "none".
        task: its scale and its descriptors.
        before: the last read of the case; its findings stay.

    Raises:
        ReadError: if something is missing, or is none of the task's words.
    """
    category, probability = sent.get("category"), sent.get("probability")
    confidence = sent.get("confidence")
    if not isinstance(category, str) or category not in task.assessment.categories:
        raise ReadError(
            f"a read requires a {task.assessment.title} category, found none; choose one"
        )
    if not isinstance(probability, int) or isinstance(probability, bool):
        raise ReadError("a read requires a probability from 0 to 100, found none; give one")
    if not 0 <= probability <= 100:
        raise ReadError(f"a probability must be from 0 to 100, found {probability}; give another")
    if not isinstance(confidence, str) or confidence not in CONFIDENCES:
        raise ReadError(f"a read requires a confidence, one of {list(CONFIDENCES)}; choose one")
    findings = before.findings if before is not None else _findings(sent, task)
    return OwnRead(category, probability, confidence, findings)


def _findings(sent: Mapping[str, object], task: TaskView) -> dict[str, str]:
    """Return the descriptors that were ticked, those of the task alone."""
    found = sent.get("findings")
    ticked = {
        name: value
        for name, value in (found.items() if isinstance(found, dict) else ())
        if value in task.descriptors.get(name, ())
    }
    if task.descriptors and not ticked and sent.get("none") is not True:
        raise ReadError(
            f"a read requires what is seen, found nothing ticked; choose at least one descriptor, "
            f"or 'No {task.finding} seen'"
        )
    return ticked
