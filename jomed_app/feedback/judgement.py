"""One judgement of an answer, schema `jomed.feedback/1`: no pixel, no attribute of a patient."""

from __future__ import annotations

import hashlib
import hmac
from typing import Literal

from pydantic import ConfigDict, Field

from jomed_app.types import Frozen

Verdict = Literal["agree", "disagree", "unsure"]
VERDICTS: tuple[Verdict, ...] = ("agree", "disagree", "unsure")
REASONS = (
    "the finding is elsewhere",
    "another kind of finding",
    "the similar cases mislead",
    "image quality",
    "facts beyond the image",
)  # ours
MOST_WORDS = 300  # characters of free text; ours
KEY_DIGITS = 32


class PlaceMark(Frozen):
    """A box of the answer, px of the file (XYXY), and whether it lies in the right place."""

    box: tuple[float, float, float, float]
    label: str
    score: float = Field(ge=0, le=1)
    is_right: bool


class OwnReads(Frozen):
    """The reader's own read before anything was shown, and the last one."""

    category_before: str
    category_after: str
    probability_before: int = Field(ge=0, le=100)
    probability_after: int = Field(ge=0, le=100)
    acts_before: bool = Field(description="whether more would be done at that category")
    acts_after: bool


class Judgement(Frozen):
    """What a reader says of one answer."""

    schema_: Literal["jomed.feedback/1"] = Field(default="jomed.feedback/1", alias="schema")
    reading: str = Field(description="keyed hash of this reading; the last word on it stands")
    case: str = Field(description="keyed hash of the pixels that were read")
    at: str = Field(description="UTC, ISO 8601 to the second")
    app: str
    bundle: str
    index: str
    task: str
    positive: str = Field(default="", description="class of the two-class question")
    search: str
    state: str = Field(description="how readings, known diagnoses and answer stood")
    answer: str | None
    probability: float = Field(ge=0, le=1)
    verdict: Verdict
    label: str = Field(default="", description="the reader's own answer, a label of the task")
    reasons: tuple[str, ...] = ()
    said: str = Field(default="", max_length=MOST_WORDS)
    similar: dict[str, bool] = Field(default={}, description="candidate -> similar for the purpose")
    places: tuple[PlaceMark, ...] = ()
    own: OwnReads | None = None
    truth: str = Field(default="", description="known diagnosis; empty where nobody knows it")

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    @property
    def is_override(self) -> bool:
        """Whether the reader does not follow the answer."""
        return self.verdict == "disagree"

    @property
    def effect(self) -> Literal["harm", "help", "none"] | None:
        """What the answer did to the reader's own read; None where own read or truth is missing."""
        if self.own is None or not self.truth or not self.positive:
            return None
        is_positive = self.truth == self.positive
        was_right = self.own.acts_before == is_positive
        is_right = self.own.acts_after == is_positive
        if was_right == is_right:
            return "none"
        return "help" if is_right else "harm"


def keyed(key: bytes, what: str) -> str:
    """Return a hash that nobody without the operator's key can match with a picture, hex."""
    return hmac.new(key, what.encode(), hashlib.sha256).hexdigest()[:KEY_DIGITS]
