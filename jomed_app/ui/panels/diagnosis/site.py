"""The operating point that a site chose: on which side of it a case is, and what that is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jomed_app.inference.calibration.cutoffs import Cutoff
from jomed_app.types import FinalResult
from jomed_app.ui.templates import Panel

NOT_MEASURED = "it was not measured beside this collection; index calibrate measures it"


@dataclass(frozen=True, slots=True)
class Site(Panel):
    """What is said beside the answer.

    Attributes:
        target: positive cases of 100 that the site wants to be found.
        positive: the label that the point is about.
        point: as measured; None where it was not, or of which nothing may be said here.
        probability: of the positive label, in [0, 1].
        reason: why nothing is said; empty where something is.
    """

    target: int
    positive: str
    point: Cutoff | None = None
    probability: float = 0.0
    reason: str = ""

    @classmethod
    def of(
        cls,
        final: FinalResult,
        *,
        target: int,
        positive: str,
        points: Sequence[Cutoff],
        reason: str = "",
    ) -> Site | None:
        """Return the point of one case; None where the site chose none, or nothing is answered.

        Args:
            final: the answer.
            target: as the site chose; 0 for none.
            positive: the label that it is about.
            points: measured with this collection and search.
            reason: why no figure counts for this case, such as a moved answer.
        """
        if not target or not final.probabilities:
            return None
        point = next((each for each in points if each.target == target), None)
        if point is None:
            reason = reason or NOT_MEASURED
        value = final.probabilities.get(positive, 0.0)
        return cls(target, positive, None if reason else point, value, reason)

    @property
    def is_above(self) -> bool:
        """Whether the case counts as positive."""
        return self.point is not None and self.probability >= self.point.threshold
