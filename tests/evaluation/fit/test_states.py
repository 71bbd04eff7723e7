"""From which spread on candidates count as mixed: a bound hidden in the errors is found again."""

from __future__ import annotations

import numpy as np
import pytest

from jomed_app.evaluation.fit.states import ORDER, SPREADS, fit_max_spread
from jomed_app.inference.conclusion.aggregate import consistency_states


def two_candidates(spread):
    """(2, 2) nats: both say the first answer, with 0.95 and that much less."""
    high, low = 0.95, 0.95 - spread
    return np.log([[high, 1 - high], [low, 1 - low]])


def states_at(rows, alone, spread):
    return consistency_states(rows, query_only=alone, max_spread=spread)


def fit(rows, alone, wrong):
    return fit_max_spread(lambda spread: states_at(rows, alone, spread), wrong)


def drawn(num_cases, error_of, seed=0):
    rng = np.random.default_rng(seed)
    spread = rng.uniform(0, 0.44, num_cases)
    wrong = rng.random(num_cases) < [error_of(each) for each in spread]
    return np.stack([two_candidates(each) for each in spread]), np.zeros(num_cases, int), wrong


@pytest.mark.parametrize("bound", SPREADS)
def test_the_spread_beyond_which_answers_are_wrong_is_found(bound):
    cases = drawn(4000, lambda spread: 0.4 if spread > bound else 0.05)
    assert fit(*cases) == bound


def disagreeing(num_cases, share_wrong):
    rows = np.log([[[0.9, 0.1], [0.1, 0.9]]]).repeat(num_cases, axis=0)
    return rows, np.zeros(num_cases, int), np.arange(num_cases) < share_wrong * num_cases


def test_states_in_order_of_their_errors_are_preferred():
    """Errors jump at 0.3, but mixed cases beyond it would be worse than those that disagree."""
    spread = drawn(4000, lambda spread: 0.6 if spread > 0.3 else 0.2 if spread > 0.15 else 0.02)
    both = [np.concatenate(pair) for pair in zip(spread, disagreeing(1000, 0.5), strict=True)]
    chosen = fit(*both)
    states = states_at(both[0], both[1], chosen)
    rates = [both[2][[state is each for state in states]].mean() for each in ORDER]
    assert chosen < 0.3
    assert rates == sorted(rates)


def test_without_any_difference_one_is_still_chosen():
    rows, plain, wrong = drawn(50, lambda _: 0.0)
    assert fit(rows, plain, wrong) in SPREADS
    assert fit(rows[:1], plain[:1], wrong[:1]) in SPREADS


def test_errors_must_fit_the_cases():
    rows, plain, wrong = drawn(5, lambda _: 0.0)
    with pytest.raises(ValueError, match="5 cases need as many errors, found 4"):
        fit(rows, plain, wrong[:4])
