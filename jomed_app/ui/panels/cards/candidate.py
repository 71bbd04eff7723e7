"""What stands under a candidate: its known label and the model's prediction, never on one line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jomed_app.types import CandidateResult
from jomed_app.ui.panels.bars import Bars
from jomed_app.ui.panels.cards.differences import Differences
from jomed_app.ui.panels.cards.rank_change import RankChange
from jomed_app.ui.templates import Panel


@dataclass(frozen=True, slots=True)
class Candidate(Panel):
    """One candidate as far as it was read.

    Attributes:
        candidate: its label, passage and prediction.
        share: how much of the answer its reading is, in [0, 1]; None while there is no answer.
        bars: the model's probabilities; None while it is being read.
        dissents: whether its prediction is another than the final one.
        is_removed: taken out by the reader; its numbers are those of the full run.
        is_counter: whether it is also the nearest case of another known diagnosis.
        can_remove: whether a button to remove or restore is offered.
        change: where it stands in the other search; None where there is one search only.
        differences: in which descriptors it differs from the patient's image, where known.
        is_held_back: whether its reading waits for the reader's own.
    """

    candidate: CandidateResult
    share: float | None
    bars: Bars | None
    dissents: bool
    is_removed: bool
    is_counter: bool
    can_remove: bool
    change: RankChange | None
    differences: Differences | None = None
    is_held_back: bool = False

    @classmethod
    def of(
        cls,
        candidate: CandidateResult,
        *,
        labels: Sequence[str],
        final: str | None,
        reading_weight: float | None = None,
        is_removed: bool = False,
        is_counter: bool = False,
        can_remove: bool = False,
        change: RankChange | None = None,
        differences: Differences | None = None,
        is_held_back: bool = False,
    ) -> Candidate:
        """Return the card of one candidate.

        Args:
            candidate: the candidate as far as it was read.
            labels: the task's classes in order.
            final: the final prediction, to mark a candidate that dissents.
            reading_weight: of all readings in the answer, in [0, 1]; None while there is none.
            is_removed: taken out by the reader.
            is_counter: whether it is also the counter-case.
            can_remove: whether it may be taken out, or put back.
            change: where it stands in the other search.
            differences: from the patient's image.
            is_held_back: whether its reading waits for the reader's own.
        """
        said = candidate.prediction
        return cls(
            candidate=candidate,
            share=None if reading_weight is None else reading_weight * candidate.weight,
            bars=None if said is None else Bars.of(candidate.probabilities, labels, said),
            dissents=said is not None and final not in (None, said) and not is_removed,
            is_removed=is_removed,
            is_counter=is_counter,
            can_remove=can_remove,
            change=change,
            differences=differences,
            is_held_back=is_held_back,
        )

    @property
    def probability(self) -> float | None:
        """Of its prediction, in [0, 1]; None while it is not known."""
        return self.candidate.probabilities.get(self.candidate.prediction or "")

    @property
    def facts(self) -> dict[str, str]:
        """Where it comes from."""
        return {
            **self.candidate.provenance,
            "case": self.candidate.candidate_id,
        }
