"""How a task's findings are worded in a report: part of a task's TOML file, `[report]`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class DescriptorWords(BaseModel):
    """One descriptor in a report.

    Attributes:
        title: its name there.
        words: value of the task -> words of the report; a value that is not named stays as it is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    words: dict[str, str] = {}


class ReportWords(BaseModel):
    """The lines of a report text, in their order; the reader edits and copies them.

    Attributes:
        title: first words.
        place: what the reader says of the place, with `{side}` and `{hour}`; empty where a task
            asks for none.
        sides: that the reader can choose; nothing is guessed.
        hours: of the clock that the reader can choose, 1 to so many.
        descriptors: descriptor of the task -> its words; one that is not named has no line.
        scale: name of the scale of categories; empty for none.
        categories: that the reader can choose.
        suggested: label -> category that the answer suggests; one that is not named suggests none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    place: str = ""
    sides: tuple[str, ...] = ()
    hours: int = Field(default=0, ge=0, le=12)
    descriptors: dict[str, DescriptorWords] = {}
    scale: str = ""
    categories: tuple[str, ...] = ()
    suggested: dict[str, str] = {}
