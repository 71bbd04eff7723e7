"""How far the candidates agree, worded as uncertainty; it always stands above the diagnosis."""

from __future__ import annotations

from dataclasses import dataclass

from jomed_app.types import CandidateResult, Consistency, ConsistencyState, FinalResult
from jomed_app.ui import text
from jomed_app.ui.templates import Panel


@dataclass(frozen=True, slots=True)
class Agreement(Panel):
    """What the candidates say one by one, beside what all of them lead to.

    Attributes:
        state: of the consistency.
        counts: class -> candidates that say it, the most frequent first.
        confidence: of candidates that all say the same, `0.99` or `from 0.71 to 0.90`; else empty.
        lone_answer: the final answer where no candidate says it, else None.
        decisive_rank: of the candidate without which the answer changes, if there is one.
        flip_to: the answer without it, where that is known and another.
        reason: why there is no result; empty where there is one.
        advice: what to do then; empty where there is a result.
        error_rate: share of wrong answers in this state on validation cases, in [0, 1], or None.
    """

    state: ConsistencyState
    counts: dict[str, int]
    confidence: str
    lone_answer: str | None
    decisive_rank: int | None
    flip_to: str | None
    reason: str
    advice: str
    error_rate: float | None

    @classmethod
    def of(
        cls,
        consistency: Consistency,
        final: FinalResult,
        candidates: tuple[CandidateResult, ...],
        *,
        error_rate: float | None = None,
        flip_to: str | None = None,
    ) -> Agreement:
        """Return the agreement of one case.

        Args:
            consistency: state, counts and the decisive candidate.
            final: what all candidates lead to.
            candidates: as read one by one; none where the image was refused.
            error_rate: of this state, where it was measured.
            flip_to: the answer without the decisive candidate, where it is known.
        """
        is_abstained = consistency.state is ConsistencyState.ABSTAIN
        counts = dict(sorted(consistency.counts.items(), key=lambda item: -item[1]))
        ranks = {each.candidate_id: each.rank for each in candidates}
        is_lone = bool(final.prediction and counts) and final.prediction not in counts
        return cls(
            state=consistency.state,
            counts=counts,
            confidence=_confidence(next(iter(counts)), candidates) if len(counts) == 1 else "",
            lone_answer=final.prediction if is_lone and not is_abstained else None,
            decisive_rank=ranks.get(consistency.decisive_candidate or ""),
            flip_to=flip_to if flip_to != final.prediction else None,
            reason=(final.reason or text.NO_REASON) if is_abstained else "",
            advice=(text.ABSTAIN_CASES if ranks else text.ABSTAIN_ADVICE) if is_abstained else "",
            error_rate=error_rate,
        )

    @property
    def title(self) -> str:
        """The state in words, and that the final answer is another where it is."""
        return text.STATE_TITLES[self.state] + (text.FINAL_DIFFERS if self.lone_answer else "")

    @property
    def mark(self) -> str:
        """One sign beside the title; an answer that no candidate gives is a disagreement."""
        return text.STATE_MARKS[ConsistencyState.DISAGREE if self.lone_answer else self.state]

    @property
    def num_candidates(self) -> int:
        """How many candidates say something."""
        return sum(self.counts.values())


def _confidence(label: str, candidates: tuple[CandidateResult, ...]) -> str:
    """Return how sure the candidates are of a label: one figure, or the span in words."""
    values = [
        f"{each.probabilities[label]:.2f}" for each in candidates if label in each.probabilities
    ]
    if not values:
        return ""
    least, most = min(values), max(values)
    return least if least == most else f"from {least} to {most}"
