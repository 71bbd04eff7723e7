"""Sliders for what each part of the answer weighs, and the mark of an answer that was moved."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from jomed_app.types import MOST_DOUBLINGS, CandidateResult, FinalResult, Moved
from jomed_app.ui.templates import Panel


@dataclass(frozen=True, slots=True)
class Weight:
    """One similar case's slider.

    Attributes:
        candidate_id: whose weight it is.
        rank: of the case.
        doublings: of its weight: 0 as it was fitted, 1 twice as much.
        share: of the answer now, in [0, 1].
    """

    candidate_id: str
    rank: int
    doublings: float
    share: float


@dataclass(frozen=True, slots=True)
class Influence(Panel):
    """What a reader may move; it says on what the answer rests, and is no better answer.

    Attributes:
        cases: of those that count.
        image_share: of the image alone in the sum now, in [0, 1]; None where it has no part.
        moved: what the reader moved; None where nothing was.
        most: doublings at the slider's end.
    """

    cases: tuple[Weight, ...]
    image_share: float | None
    moved: Moved | None
    most: int = MOST_DOUBLINGS

    @classmethod
    def of(
        cls, candidates: Sequence[CandidateResult], final: FinalResult, moved: Moved | None
    ) -> Influence:
        """Return the sliders of one answer.

        Args:
            candidates: those that take part, weights summing to 1.
            final: the answer.
            moved: in it.
        """
        factors = moved.factors if moved else {}
        return cls(
            cases=tuple(
                Weight(
                    each.candidate_id,
                    each.rank,
                    math.log2(factors.get(each.candidate_id, 1.0)),
                    final.reading_weight * each.weight,
                )
                for each in candidates
            ),
            image_share=final.image_head_weight if final.image_head else None,
            moved=moved,
        )

    @property
    def words(self) -> str:
        """What was moved, as the end of a sentence; empty where nothing was."""
        if self.moved is None:
            return ""
        removed, factors = len(self.moved.removed), len(self.moved.factors)
        said = []
        if removed:
            said.append(f"without {removed} similar {'case' if removed == 1 else 'cases'}")
        if factors:
            said.append(f"{factors} {'weight' if factors == 1 else 'weights'} changed")
        if self.moved.image_share is not None:
            said.append(f"image alone {self.moved.image_share:.0%}")
        return ", ".join(said)
