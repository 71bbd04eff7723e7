"""Similar cases that are hardly a part of the answer: a line that says how many, and a list."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from jomed_app.types import CandidateResult, FinalResult
from jomed_app.ui import text
from jomed_app.ui.templates import Panel

LEAST_SHARE = 0.02
"""Ours: share of the answer, in [0, 1], below which the reading beside a case takes no pane."""


def folded_ids(
    shown: Sequence[CandidateResult],
    current: Mapping[str, CandidateResult],
    final: FinalResult | None,
    kept: Collection[str] = frozenset(),
) -> frozenset[str]:
    """Return the cases without a pane of their own, of the design of the page (rule 6).

    A case is folded where the reading beside it is less than `LEAST_SHARE` of the answer. Until
    there is an answer its weight among the readings stands for that share, which it never exceeds,
    so that no pane comes and goes. At least one pane is left, that of the heaviest case. Where a
    label of the index alone is named, no reading speaks for it, and nothing is folded.

    Args:
        shown: cases of the full run, by rank.
        current: id -> case with its weight after removals; one that was removed is missing and
            keeps the place that it had in the full run.
        final: the answer; None until it is known.
        kept: ids that keep their pane whatever their share: the counter-case, and one on which the
            answer rests.
    """
    if final is not None and final.prediction in final.index_only:
        return frozenset()
    readings = 1.0 if final is None else final.reading_weight
    weights = {
        each.candidate_id: current.get(each.candidate_id, each).weight * readings for each in shown
    }
    folded = {name for name, share in weights.items() if share < LEAST_SHARE} - set(kept)
    if weights and len(folded) == len(weights):
        folded.remove(max(weights, key=lambda name: weights[name]))
    return frozenset(folded)


@dataclass(frozen=True, slots=True)
class FoldedCase:
    """One line of the list: a case, and how much of the answer the reading beside it is.

    Attributes:
        candidate: as far as it was read.
        share: of the answer, in [0, 1]; None while there is no answer.
        is_removed: taken out by the reader.
    """

    candidate: CandidateResult
    share: float | None
    is_removed: bool

    @property
    def said(self) -> str:
        """What was read beside it, and how likely that is; empty until it was read."""
        name = self.candidate.prediction
        return f"{name} {self.candidate.probabilities[name]:.2f}" if name else ""


@dataclass(frozen=True, slots=True)
class Folded(Panel):
    """The cases without a pane, by rank; none leaves nothing to say."""

    cases: tuple[FoldedCase, ...]

    @property
    def words(self) -> str:
        """How many there are, and why they take no pane."""
        count = len(self.cases)
        least = f"{LEAST_SHARE * 100:.0f} %"
        return (text.FOLDED_ONE if count == 1 else text.FOLDED_MORE).format(
            count=count, least=least
        )
