"""Fit from which spread on agreeing candidates count as mixed, on out-of-fold readings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import xlog1py, xlogy

from jomed_app.inference.aggregate import consistency_state
from jomed_app.types import ConsistencyState

SPREADS = (0.1, 0.15, 0.2, 0.3)  # ours: less is not worth a word, more is no agreement
ORDER = (ConsistencyState.CONSISTENT, ConsistencyState.MIXED, ConsistencyState.DISAGREE)


def fit_max_spread(log_prob: ArrayLike, plain: ArrayLike, is_wrong: ArrayLike) -> float:
    """Return the spread under which the states tell most about errors.

    Ours: of the spreads whose states are wrong more often the less the candidates agree, the one
    that makes the errors likeliest, each state with a rate of its own; of all, where none is so
    ordered. One that leaves a state without a case comes last. Of equal ones the smallest wins.

    Args:
        log_prob: (N, K, C) nats, what N cases' candidates lead to.
        plain: (N,) index of the answer without retrieval.
        is_wrong: (N,) whether the final answer is.

    Returns:
        One of `SPREADS`.

    Raises:
        ValueError: if shapes do not fit.
    """
    wrong = np.asarray(is_wrong, dtype=bool)
    scored = []
    for spread in SPREADS:
        states = states_at(log_prob, plain, spread)
        if len(states) != len(wrong):
            raise ValueError(f"{len(states)} cases need as many errors, found {len(wrong)}")
        counts, errors = _tally(states, wrong)
        rates = (errors + 0.5) / (counts + 1)  # no rate is 0 or 1
        likelihood = (xlogy(errors, rates) + xlog1py(counts - errors, -rates)).sum()
        is_ordered = bool((np.diff(rates) > 0).all())
        scored.append((counts.min() > 0, is_ordered, float(likelihood), -spread))
    return -max(scored)[-1]


def states_at(log_prob: ArrayLike, plain: ArrayLike, max_spread: float) -> list[ConsistencyState]:
    """The state of each of N cases; arguments as in `fit_max_spread`."""
    rows, alone = np.asarray(log_prob, dtype=np.float64), np.asarray(plain)
    return [
        consistency_state(row, query_only_prediction=int(each), max_spread=max_spread)
        for row, each in zip(rows, alone, strict=True)
    ]


def _tally(
    states: Sequence[ConsistencyState], is_wrong: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(3,) cases and errors per state."""
    is_in = np.array([[state is each for state in states] for each in ORDER])
    return is_in.sum(1).astype(np.float64), (is_in & is_wrong).sum(1).astype(np.float64)
