"""Input checks: a warning where one did not pass, and the input passport on request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jomed_app.types import Check, InputInfo
from jomed_app.ui import text
from jomed_app.ui.templates import Panel


@dataclass(frozen=True, slots=True)
class ShownCheck:
    """One check in words: its name, its figure in few characters, and what it says.

    One that passed stands in the passport alone, unless it says what the reader asked for.
    """

    name: str
    passed: bool
    value: str
    message: str
    is_asked: bool = False

    @classmethod
    def of(cls, check: Check, *, is_asked: bool = False) -> ShownCheck:
        """Return a check as it is shown; `is_asked`: it says what the reader asked for."""
        name = text.CHECK_NAMES.get(check.name, check.name.replace("_", " "))
        figure = "" if check.value is None or check.name in text.CHECKS_IN_WORDS else check.value
        value = figure if isinstance(figure, str) else f"{figure:.3g}"
        return cls(name, check.passed, value, check.message, is_asked)

    @property
    def is_told(self) -> bool:
        """Whether it stands on the page unasked."""
        return self.is_asked or not self.passed


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
        if self.info is None:
            return ()
        inverted = self.info.inverted_as_asked
        return tuple(
            ShownCheck.of(check, is_asked=inverted and check.name == "inversion")
            for check in self.info.checks
        )

    @property
    def is_fine(self) -> bool:
        """Whether there is nothing to say unasked."""
        return not any(check.is_told for check in self.checks)
