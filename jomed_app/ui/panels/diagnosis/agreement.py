"""What speaks for and against the answer, worded as uncertainty; it always stands above it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from jomed_app.inference.conclusion.standing import standing_of
from jomed_app.types import CandidateResult, Consistency, FinalResult, Standing
from jomed_app.ui import text
from jomed_app.ui.templates import Panel


@dataclass(frozen=True, slots=True)
class Agreement(Panel):
    """What is known of the similar cases, what is read beside each, and the answer: three things.

    Attributes:
        standing: of the case.
        known: known diagnosis -> similar cases that have it, the most frequent first.
        read: class -> readings that say it, the most frequent first.
        confidence: of readings that all say the same, `0.99` or `from 0.71 to 0.90`; else empty.
        answer: the final answer, where it is not what all readings say; else None.
        decisive_rank: of the similar case without which the answer changes, if there is one.
        flip_to: the answer without it, where that is known and another.
        reason: why there is no result; empty where there is one.
        advice: what to do then; empty where there is a result.
        asks: whether the reader may go on in spite of the reason.
        asks_inverted: whether to read the image inverted is offered.
        error_rate: share of wrong answers on validation cases that stand so, in [0, 1], or None.
    """

    standing: Standing
    known: dict[str, int]
    read: dict[str, int]
    confidence: str
    answer: str | None
    decisive_rank: int | None
    flip_to: str | None
    reason: str
    advice: str
    asks: bool
    asks_inverted: bool
    error_rate: float | None

    @classmethod
    def of(
        cls,
        consistency: Consistency,
        final: FinalResult,
        candidates: tuple[CandidateResult, ...],
        *,
        error_rates: Mapping[str, float] | None = None,
        flip_to: str | None = None,
    ) -> Agreement:
        """Return the agreement of one case.

        Args:
            consistency: state, counts and the decisive candidate.
            final: what all candidates lead to.
            candidates: as read one by one; none where the image was refused.
            error_rates: `Standing` -> share of wrong answers, where it was measured.
            flip_to: the answer without the decisive candidate, where it is known.
        """
        standing = standing_of(consistency, final, candidates)
        has_abstained = standing is Standing.ABSTAIN
        read = _most_first(consistency.counts.items())
        ranks = {each.candidate_id: each.rank for each in candidates}
        return cls(
            standing=standing,
            known=_most_first(Counter(each.label for each in candidates).items()),
            read=read,
            confidence=_confidence(next(iter(read)), candidates) if len(read) == 1 else "",
            answer=None if has_abstained or list(read) == [final.prediction] else final.prediction,
            decisive_rank=ranks.get(consistency.decisive_candidate or ""),
            flip_to=flip_to if flip_to != final.prediction else None,
            reason=(final.reason or text.NO_REASON) if has_abstained else "",
            advice=(text.ABSTAIN_CASES if ranks else text.ABSTAIN_ADVICE) if has_abstained else "",
            asks=bool(final.asks),
            asks_inverted="inversion" in final.asks,
            error_rate=(error_rates or {}).get(standing.value),
        )

    @property
    def title(self) -> str:
        """The standing in words."""
        return text.STANDING_TITLES[self.standing]

    @property
    def stands_apart(self) -> bool:
        """Whether all readings, or most known diagnoses, speak against the answer."""
        return self.standing in (Standing.CONTRADICTED, Standing.OVERRULED)

    @property
    def mark(self) -> str:
        """One sign beside the title."""
        return text.STANDING_MARKS[self.standing]


def _most_first(counts: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Return names with their counts, the most frequent first."""
    return dict(sorted(counts, key=lambda item: -item[1]))


def _confidence(label: str, candidates: tuple[CandidateResult, ...]) -> str:
    """Return how sure the readings are of a label: one figure, or the span in words."""
    values = [
        f"{each.probabilities[label]:.2f}" for each in candidates if label in each.probabilities
    ]
    if not values:
        return ""
    least, most = min(values), max(values)
    return least if least == most else f"from {least} to {most}"
