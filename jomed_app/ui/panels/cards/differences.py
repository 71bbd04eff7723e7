"""In which descriptors a known case differs from what is read on the patient's image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jomed_app.ui.templates import Panel


@dataclass(frozen=True, slots=True)
class Pair:
    """One descriptor: its value in the known case, and the likeliest one on the patient's image."""

    descriptor: str
    here: str
    yours: str

    @property
    def differs(self) -> bool:
        """Whether the two are not the same."""
        return self.here != self.yours


@dataclass(frozen=True, slots=True)
class Differences(Panel):
    """Descriptors that are known of the one and read on the other."""

    compared: tuple[Pair, ...]

    @classmethod
    def of(
        cls,
        known: Mapping[str, str],
        findings: Mapping[str, Mapping[str, float]] | None,
    ) -> Differences | None:
        """Return the descriptors side by side; None where none can be compared.

        Args:
            known: descriptor -> value, of the case in the collection.
            findings: descriptor -> value -> probability in [0, 1], of the patient's image; None
                until it was described.
        """
        pairs = tuple(
            Pair(name, known[name], max(values, key=lambda each: values[each]))
            for name, values in (findings or {}).items()
            if values and known.get(name)
        )
        return cls(pairs) if pairs else None

    @property
    def differing(self) -> tuple[Pair, ...]:
        """Those that are not the same."""
        return tuple(each for each in self.compared if each.differs)
