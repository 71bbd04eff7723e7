"""Fit from which spread on agreeing candidates count as mixed, on out-of-fold readings."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import xlog1py, xlogy

from jomed_app.types import ConsistencyState

SPREADS = (0.1, 0.15, 0.2, 0.3)  # ours: less is not worth a word, more is no agreement
ORDER = (ConsistencyState.CONSISTENT, ConsistencyState.MIXED, ConsistencyState.DISAGREE)


def fit_max_spread(states_at: Callable[[float], NDArray[np.object_]], is_wrong: ArrayLike) -> float:
    """Return the spread under which the states tell most about errors.

    Ours: of the spreads whose states are wrong more often the less the candidates agree, the one
    that makes the errors likeliest, each state with a rate of its own; of all, where none is so
    ordered. One that leaves a state without a case comes last. Of equal ones the smallest wins.

    Args:
        states_at: spread -> (N,) the state of each case (`conclude.Conclusion.states`).
        is_wrong: (N,) whether the final answer is.

    Returns:
        One of `SPREADS`.

    Raises:
        ValueError: if shapes do not fit.
    """
    wrong = np.asarray(is_wrong, dtype=bool)
    scored = []
    for spread in SPREADS:
        states = states_at(spread)
        if len(states) != len(wrong):
            raise ValueError(f"{len(states)} cases need as many errors, found {len(wrong)}")
        counts, errors = _tally(states, wrong)
        rates = (errors + 0.5) / (counts + 1)  # no rate is 0 or 1
        likelihood = (xlogy(errors, rates) + xlog1py(counts - errors, -rates)).sum()
        is_ordered = bool((np.diff(rates) > 0).all())
        scored.append((counts.min() > 0, is_ordered, float(likelihood), -spread))
    return -max(scored)[-1]


def _tally(
    states: NDArray[np.object_], is_wrong: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(3,) cases and errors per state."""
    is_in = np.array([states == each for each in ORDER])
    return is_in.sum(1).astype(np.float64), (is_in & is_wrong).sum(1).astype(np.float64)
