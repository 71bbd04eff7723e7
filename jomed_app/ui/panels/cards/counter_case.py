"""What stands under the counter-case: the nearest case with another known diagnosis."""

from __future__ import annotations

from dataclasses import dataclass

from jomed_app.data.records import CaseRecord
from jomed_app.ui.panels.cards.differences import Differences
from jomed_app.ui.templates import Panel


@dataclass(frozen=True, slots=True)
class CounterCase(Panel):
    """One indexed case.

    Attributes:
        record: of the case.
        final: the final diagnosis that it differs from, where there is one.
        differences: in which descriptors it differs from the patient's image, where known.
    """

    record: CaseRecord
    final: str | None
    differences: Differences | None = None
