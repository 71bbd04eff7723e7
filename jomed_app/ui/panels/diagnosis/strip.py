"""Three answers in one strip: of the image alone, of the standard and of the trained search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jomed_app.types import FinalResult, Retrieval
from jomed_app.ui import text
from jomed_app.ui.templates import Panel


@dataclass(frozen=True, slots=True)
class Said:
    """One answer of the strip.

    Attributes:
        name: whose it is.
        label: None where none is given, or where it was not read yet.
        probability: of the label, in [0, 1].
        search: that leads to it; empty for the image alone.
        is_read: whether the engine has computed it.
        is_shown: whether it is the one on the page.
        note: said when it is pointed at.
    """

    name: str
    label: str | None
    probability: float
    search: str = ""
    is_read: bool = True
    is_shown: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Strip(Panel):
    """What the engine computed, nothing moved in it."""

    answers: tuple[Said, ...]

    @classmethod
    def of(
        cls, finals: Mapping[Retrieval, FinalResult], shown: Retrieval, *, has_two: bool
    ) -> Strip | None:
        """Return the strip of a case; None where there is nothing to put beside the answer.

        Args:
            finals: of the searches that were read, before anything was moved.
            shown: the search on the page, one of them.
            has_two: whether the bundle has a trained search beside the standard one.
        """
        answers = _image_alone(finals[shown])
        for search in ("standard", "joint") if has_two else (shown,):
            final, is_shown = finals.get(search), search == shown
            name = text.SEARCH_NAMES[search] if has_two else text.WITH_CASES
            if final is None:
                answers.append(Said(name, None, 0.0, search, is_read=False))
                continue
            label = None if final.abstained else final.prediction
            value = final.probabilities.get(label or "", 0.0)
            answers.append(Said(name, label, value, search, is_shown=is_shown))
        return cls(tuple(answers)) if len(answers) > 1 else None


def _image_alone(final: FinalResult) -> list[Said]:
    """Return the classifier's own answer, where it is a part of the sum."""
    said = final.image_head
    if not said:
        return []
    label = max(said, key=lambda name: said[name])
    return [Said(text.IMAGE_ALONE, label, said[label], note=text.IMAGE_ALONE_NOTE)]
