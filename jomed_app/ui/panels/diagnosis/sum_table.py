"""How the diagnosis arose, as a sum: every part times what it says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from jomed_app.types import CandidateResult, FinalResult
from jomed_app.ui import text
from jomed_app.ui.templates import Panel


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the sum: its name, what it says, its weight and what it gives the label."""

    name: str
    says: str
    weight: float
    probability: float

    @property
    def product(self) -> float:
        """What the part adds, in [0, 1]."""
        return self.weight * self.probability


@dataclass(frozen=True, slots=True)
class SumTable(Panel):
    """Weight times probability, part by part, for one label.

    Attributes:
        label: the predicted class.
        parts: the candidates, and what speaks beside them.
        totals: name -> value, from the sum of the parts to the probability that is shown.
    """

    label: str
    parts: tuple[Part, ...]
    totals: dict[str, float]

    @classmethod
    def of(cls, candidates: tuple[CandidateResult, ...], final: FinalResult) -> SumTable | None:
        """Return the sum behind the predicted class; None where none is predicted.

        A label that only the index knows has the vote as its only part; the others share what
        that vote leaves, which is a line of its own below the sum.
        """
        label = final.prediction
        if label is None:
            return None
        parts = _parts(candidates, final, label)
        total = _sum(parts)
        totals = {text.WEIGHTED_SUM: total}
        if final.index_only and label not in final.index_only:
            known = [each for each in final.probabilities if each not in final.index_only]
            whole = sum(_sum(_parts(candidates, final, each)) for each in known)
            rest = 1.0 - sum(final.neighbor_vote.get(each, 0.0) for each in final.index_only)
            totals[text.SHARED_WITH_INDEX] = total / max(whole, 1e-12) * rest
        totals[text.CALIBRATED] = final.probabilities.get(label, 0.0)
        return cls(label, tuple(parts), totals)


def _parts(candidates: tuple[CandidateResult, ...], final: FinalResult, label: str) -> list[Part]:
    """Return what speaks for a label, and how much each counts."""
    vote = final.neighbor_vote.get(label, 0.0)
    if label in final.index_only:
        return [Part("near", text.NEAREST_LABELS, 1.0, vote)]
    read = [
        Part(
            f"#{each.rank}",
            each.prediction or "",
            final.reading_weight * each.weight,
            each.probabilities[label],
        )
        for each in candidates
        if label in each.probabilities
    ]
    image = final.image_head.get(label, 0.0)
    beside = [
        Part("near", text.NEAREST_LABELS, final.neighbor_weight, vote),
        Part("image", text.IMAGE_HEAD, final.image_head_weight, image),
    ]
    return read + [part for part in beside if part.weight > 0]


def _sum(parts: Iterable[Part]) -> float:
    """Return the sum of all parts, before calibration."""
    return sum(part.product for part in parts)
