"""Figures of systems that retrieve: their candidates, what retrieval does, whether warnings tell.

Letters in docstrings: N cases, K candidates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr

from jomed_app.evaluation.metrics import consistency
from jomed_app.evaluation.metrics.coverage import ranked_risk_area, risk_coverage_area
from jomed_app.evaluation.metrics.effect import is_harmed, is_helped
from jomed_app.evaluation.report.bootstrap import Bootstrap, known_range, mean_of
from jomed_app.evaluation.report.schema import RetrievalEffect, SelectiveRisk
from jomed_app.evaluation.report.scores import SystemScores
from jomed_app.types import ConsistencyState

PASS_AT = (1, 2, 4, 8)
WITHOUT = ("no_retrieval", "image_alone")  # systems that see no known case
WITH = ("knn", "random_candidates", "reader", "rag", "joint_reader", "joint")
STATE_RANKS = {
    ConsistencyState.CONSISTENT: 0,
    ConsistencyState.MIXED: 1,
    ConsistencyState.DISAGREE: 2,
    ConsistencyState.ABSTAIN: 3,
}


def retrieval_figures(
    scores: Sequence[SystemScores], labels: NDArray[np.intp]
) -> dict[str, float | None]:
    """Figures that need candidates in every case, by their name in the report.

    Args:
        scores: of one system, one per case.
        labels: (N,) true label indexes.
    """
    read = [s.candidate_probabilities for s in scores if s.candidate_probabilities is not None]
    found = [s.candidate_labels for s in scores if s.candidate_labels is not None]
    weights = [s.weights for s in scores if s.weights is not None]
    has_read, has_found = len(read) == len(scores), len(found) == len(scores)
    return {
        "inconsistent_rate": mean_of(consistency.is_inconsistent(read)) if has_read else None,
        "oracle_accuracy": consistency.oracle_accuracy(read, labels) if has_read else None,
        "chance_oracle": consistency.chance_oracle(read) if has_read else None,
        "answer_variance": consistency.answer_variance(read, labels) if has_read else None,
        "label_agreement_at_k": (
            consistency.label_agreement_at_k(found, labels) if has_found else None
        ),
        "effective_candidates": mean_of(np.array([np.exp(entr(row).sum()) for row in weights])),
    }


def pass_figures(scores: Sequence[SystemScores], labels: NDArray[np.intp]) -> dict[int, float]:
    """K -> share of cases that one of the K heaviest candidates leads to the right answer.

    Empty without candidates and weights in every case; a K that no case has is left out.

    Args:
        scores: of one system, one per case.
        labels: (N,) true label indexes.
    """
    read = [s.candidate_probabilities for s in scores if s.candidate_probabilities is not None]
    weights = [s.weights for s in scores if s.weights is not None]
    if not len(read) == len(weights) == len(scores):
        return {}
    found = {k: consistency.pass_at_k(read, weights, labels, k) for k in PASS_AT}
    return {k: share for k, share in found.items() if not math.isnan(share)}


def retrieval_effects(bootstrap: Bootstrap) -> tuple[RetrievalEffect, ...]:
    """Every system that retrieves against every one that does not, among those scored."""
    table = bootstrap.table
    pairs = [
        (name, alone) for name in WITH for alone in WITHOUT if {name, alone} <= set(table.systems)
    ]
    return tuple(_effect(bootstrap, *pair) for pair in pairs)


def selective_risk(bootstrap: Bootstrap, name: str) -> SelectiveRisk | None:
    """Whether the state of a system's candidates tells more of errors than its confidence does.

    None for a system that does not state one in every case.

    Args:
        bootstrap: over the cases.
        name: of the system.
    """
    table = bootstrap.table
    states = [score.state for score in table.of(name)]
    ranks = np.array([STATE_RANKS[state] for state in states if state is not None])
    if len(ranks) < len(states):
        return None
    rows, labels = table.probabilities(name), table.labels

    def gain(index: NDArray[np.intp]) -> float:
        said, truth = rows[index], labels[index]
        by_state = ranked_risk_area(said, truth, ranks[index])
        return by_state - risk_coverage_area(said, truth)

    found = bootstrap.of_metric(gain)
    return SelectiveRisk(
        by_confidence=risk_coverage_area(rows, labels),
        by_agreement=ranked_risk_area(rows, labels, ranks),
        difference=found.value,
        ci=known_range(found),
    )


def _effect(bootstrap: Bootstrap, name: str, alone: str) -> RetrievalEffect:
    right, before = (bootstrap.table.is_correct(each) for each in (name, alone))
    helped, harmed = is_helped(right, before), is_harmed(right, before)
    help_rate = bootstrap.of_metric(lambda index: float(helped[index].mean()))
    harm_rate = bootstrap.of_metric(lambda index: float(harmed[index].mean()))
    return RetrievalEffect(
        system=name,
        without=alone,
        n=len(right),
        helped=int(helped.sum()),
        harmed=int(harmed.sum()),
        help_rate=help_rate.value,
        help_ci=(help_rate.low, help_rate.high),
        harm_rate=harm_rate.value,
        harm_ci=(harm_rate.low, harm_rate.high),
    )
