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
        calibrated: the probability as a count of ten cases; empty where it was never measured, or
            where the case stands apart from those that it was measured on.
        measured: where the calibration comes from.
        is_measured: whether anything was measured for such an image; that nothing was is said
            unasked.
        is_moved: whether the reader moved weights in it.
        bars: of all classes; None where the image was refused.
        shares: part of the answer -> how much of it that part is, in [0, 1], largest first; empty
            where a label of the index alone is named, for which only the nearest speak.
        reader_alone: what the reader says without any candidate, where it was asked.
        index_only: what is known from the similar cases alone, as a sentence; else empty.
    """

    prediction: str | None
    probability: float
    calibrated: str
    measured: str
    bars: Bars | None
    shares: dict[str, float]
    reader_alone: str | None
    index_only: str
    is_measured: bool = False
    is_moved: bool = False

    @classmethod
    def of(
        cls,
        final: FinalResult,
        labels: Sequence[str],
        measured_on: str = "",
        *,
        is_overruled: bool = False,
        stands_apart: bool = False,
        is_moved: bool = False,
    ) -> Final:
        """Return the conclusion as it is shown.

        Args:
            final: the conclusion.
            labels: in the order in which they are shown.
            measured_on: where the calibration comes from, in words; empty if never measured.
            is_overruled: whether the image is of a kind for which nothing was measured.
            stands_apart: whether readings or known diagnoses speak against the answer.
            is_moved: whether the reader moved weights, so that nothing was measured of it.
        """
        named = None if final.abstained else final.prediction
        value = final.probabilities.get(named, 0.0) if named else 0.0
        names = ", ".join(final.index_only)
        is_counted = bool(measured_on) and not (is_overruled or stands_apart or is_moved)
        measured = text.measured_words(measured_on)
        if measured_on and stands_apart:
            measured += f" {text.STANDS_APART}"
        if is_moved:
            measured = text.MOVED_NOTE
        return cls(
            prediction=named,
            probability=value,
            calibrated=text.count_words(value) if is_counted else "",
            measured=text.GO_ON_ADVICE if is_overruled else measured,
            bars=Bars.of(final.probabilities, labels, named) if final.probabilities else None,
            shares=_shares(final) if final.probabilities else {},
            reader_alone=final.query_only_prediction,
            index_only=text.INDEX_ONLY.format(names=names) if names else "",
            is_measured=bool(measured_on) and not (is_overruled or is_moved),
            is_moved=is_moved,
        )


def _shares(final: FinalResult) -> dict[str, float]:
    """Return how much of an answer each part is, whatever it says."""
    if final.prediction in final.index_only:
        return {}
    parts = {
        text.SHARE_IMAGE: final.image_head_weight,
        text.SHARE_VOTE: final.neighbor_weight,
        text.SHARE_READ: final.reading_weight,
    }
    return dict(sorted((each for each in parts.items() if each[1] > 0), key=lambda each: -each[1]))
