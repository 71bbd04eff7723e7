"""The answer in one glance, which never scrolls away: first how it stands, then what it is."""

from __future__ import annotations

from dataclasses import dataclass

from jomed_app.types import Standing
from jomed_app.ui.panels.diagnosis.agreement import Agreement
from jomed_app.ui.panels.diagnosis.final import Final
from jomed_app.ui.templates import Panel


@dataclass(frozen=True, slots=True)
class Answer(Panel):
    """What `Agreement` and `Final` say at more length.

    Attributes:
        standing: of the case.
        title: the standing in words.
        mark: one sign beside it.
        prediction: the class that is named; None where none is.
        probability: of that class, in [0, 1].
        calibrated: the probability as a count of ten cases; empty where it was never measured.
        is_moved: whether the reader moved weights in it.
    """

    standing: Standing
    title: str
    mark: str
    prediction: str | None
    probability: float
    calibrated: str
    is_moved: bool = False

    @classmethod
    def of(cls, agreement: Agreement, final: Final) -> Answer:
        """Return the glance at what two panels say."""
        return cls(
            standing=agreement.standing,
            title=agreement.title,
            mark=agreement.mark,
            prediction=final.prediction,
            probability=final.probability,
            calibrated=final.calibrated,
            is_moved=final.is_moved,
        )
