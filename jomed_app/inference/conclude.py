"""From candidates that were read to a conclusion: pure arithmetic, run again on every removal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from jomed_app.inference.aggregate import (
    consistency_state,
    leave_one_out,
    marginalize,
    prediction_counts,
)
from jomed_app.inference.calibration.probabilities import Calibration
from jomed_app.inference.ensemble import Opinions
from jomed_app.types import CandidateResult, Consistency, ConsistencyState, FinalResult

SMALLEST_PROBABILITY = 1e-12


@dataclass(frozen=True, slots=True)
class Conclusion:
    """Final result and consistency; `label_index` is the most probable label, given or not."""

    final: FinalResult
    consistency: Consistency
    label_index: int = 0

    @classmethod
    def refused(cls, reason: str) -> Conclusion:
        """No answer at all, and why."""
        return cls(
            FinalResult(prediction=None, probabilities={}, abstained=True, reason=reason),
            Consistency(state=ConsistencyState.ABSTAIN),
        )

    def with_counter(self, candidate_id: str | None) -> Conclusion:
        """Name the nearest case of another label."""
        updated = self.consistency.model_copy(update={"counter_candidate": candidate_id})
        return replace(self, consistency=updated)


def conclude(
    candidates: Sequence[CandidateResult],
    query_only: str | None,
    *,
    labels: Sequence[str],
    calibration: Calibration,
    max_spread: float,
    opinions: Opinions,
) -> Conclusion:
    """Marginalize over candidates, mix in opinions, calibrate, judge consistency, or abstain.

    Source: arXiv:2508.17394, p(a | q) = sum over z of p(z | q) p(a | q, z).
    Ours: abstention by a conformal set that holds every label.

    Args:
        candidates: read candidates with weights (sum > 0) and probabilities.
        query_only: the reader's answer without a candidate.
        labels: order of probability vectors.
        calibration: fitted on out-of-fold cases.
        max_spread: see `consistency_state`.
        opinions: what is heard beside the candidates.
    """
    log_weights = np.log([max(each.weight, SMALLEST_PROBABILITY) for each in candidates])
    log_prob = np.log(
        [
            [max(each.probabilities[label], SMALLEST_PROBABILITY) for label in labels]
            for each in candidates
        ]
    )
    calibrated = calibration.scaling.apply(opinions.mix(marginalize(log_weights, log_prob), labels))
    probability = np.exp(calibrated)
    best = int(probability.argmax())
    abstained, reason = False, None
    if calibration.conformal is not None:
        members = calibration.conformal.members(probability)
        if bool(members.all()):
            abstained = True
            reason = (
                f"none of {', '.join(labels)} can be ruled out for this image; "
                "compare the cases yourself"
            )
    decisive = None
    if len(candidates) > 1:
        mixed = opinions.mix(leave_one_out(log_weights, log_prob), labels)
        decisive = most_decisive(probability, np.exp(calibration.scaling.apply(mixed)))
    state = consistency_state(
        log_prob,
        query_only_prediction=labels.index(query_only) if query_only in labels else None,
        max_spread=max_spread,
        abstained=abstained,
    )
    reliability = calibration.reliability
    final = FinalResult(
        prediction=None if abstained else labels[best],
        probabilities=dict(zip(labels, map(float, probability), strict=True)),
        interval=reliability.interval(float(probability[best])) if reliability else None,
        query_only_prediction=query_only,
        neighbor_vote=dict(opinions.vote),
        neighbor_weight=opinions.shares[0],
        image_head=dict(opinions.image_head),
        image_head_weight=opinions.shares[1],
        index_only=opinions.index_only,
        abstained=abstained,
        reason=reason,
    )
    consistency = Consistency(
        state=state,
        counts=prediction_counts(log_prob, labels),
        decisive_candidate=None if decisive is None else candidates[decisive].candidate_id,
    )
    return Conclusion(final, consistency, best)


def most_decisive(probability: NDArray[np.float64], without: NDArray[np.float64]) -> int | None:
    """Return the candidate whose removal flips the answer, the one it costs most; else None.

    Args:
        probability: (C,) with all candidates; its largest entry is the answer.
        without: (K, C) without each candidate, on any scale that keeps each row's order.
    """
    best = int(probability.argmax())
    flips = without.max(-1) > without[:, best] + 1e-9
    if not flips.any():
        return None
    return int(np.where(flips, without[:, best], np.inf).argmin())
