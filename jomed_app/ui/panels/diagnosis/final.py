"""The final diagnosis with its probability in words, or the abstention in its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jomed_app.types import FinalResult
from jomed_app.ui import text
from jomed_app.ui.panels.bars import Bars
from jomed_app.ui.templates import Panel


@dataclass(frozen=True, slots=True)
class Final(Panel):
    """The conclusion of one case.

    Attributes:
        prediction: the class that is named; None where none is.
        probability: of that class, in [0, 1].
        interval: 95 % interval of that probability, where it is known.
        calibrated: the probability as a count of ten cases; empty where it was never measured.
        measured: where the calibration comes from.
        bars: of all classes; None where the image was refused.
        reader_alone: what the reader says without any candidate, where it was asked.
        index_only: what is known from the similar cases alone, as a sentence; else empty.
    """

    prediction: str | None
    probability: float
    interval: tuple[float, float] | None
    calibrated: str
    measured: str
    bars: Bars | None
    reader_alone: str | None
    index_only: str

    @classmethod
    def of(cls, final: FinalResult, labels: Sequence[str], measured_on: str = "") -> Final:
        """Return the conclusion as it is shown.

        Args:
            final: the conclusion.
            labels: in the order in which they are shown.
            measured_on: where the calibration comes from, in words; empty if never measured.
        """
        named = None if final.abstained else final.prediction
        value = final.probabilities.get(named, 0.0) if named else 0.0
        names = ", ".join(final.index_only)
        return cls(
            prediction=named,
            probability=value,
            interval=final.interval,
            calibrated=text.count_words(value) if measured_on else "",
            measured=text.measured_words(measured_on),
            bars=Bars.of(final.probabilities, labels, named) if final.probabilities else None,
            reader_alone=final.query_only_prediction,
            index_only=text.INDEX_ONLY.format(names=names) if names else "",
        )
