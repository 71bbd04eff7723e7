"""The strip of input checks, and the input passport behind it: checks, metadata and hash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jomed_app.types import Check, InputInfo
from jomed_app.ui.templates import Panel


@dataclass(frozen=True, slots=True)
class ShownCheck:
    """One check in words: its name, its figure in few characters, and what it says."""

    name: str
    passed: bool
    value: str
    message: str

    @classmethod
    def of(cls, check: Check) -> ShownCheck:
        """Return a check as it is shown."""
        figure = "" if check.value is None else check.value
        value = figure if isinstance(figure, str) else f"{figure:.3g}"
        return cls(check.name.replace("_", " "), check.passed, value, check.message)


@dataclass(frozen=True, slots=True)
class Checks(Panel):
    """What is known of the input.

    Attributes:
        info: the input and its checks; None before a case is open, which shows nothing.
        metadata: allow-listed facts of the file, by name.
    """

    info: InputInfo | None
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def checks(self) -> tuple[ShownCheck, ...]:
        """The checks in the order in which they were made."""
        return tuple(map(ShownCheck.of, self.info.checks)) if self.info else ()
