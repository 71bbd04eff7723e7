"""Probabilities as bars, one a class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jomed_app.ui.templates import Panel


@dataclass(frozen=True, slots=True)
class Bar:
    """One class: its probability in [0, 1], and whether it is the one that was chosen."""

    name: str
    probability: float
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Bars(Panel):
    """One bar per class; the chosen one is set in bold."""

    bars: tuple[Bar, ...]

    @classmethod
    def of(
        cls, probabilities: Mapping[str, float], labels: Sequence[str], chosen: str | None
    ) -> Bars:
        """Return the bars in the task's order.

        Args:
            probabilities: class -> probability in [0, 1].
            labels: order of the classes; others follow behind.
            chosen: class to stress, or None.
        """
        names = [name for name in labels if name in probabilities]
        names += [name for name in probabilities if name not in labels]
        return cls(tuple(Bar(name, probabilities[name], name == chosen) for name in names))
