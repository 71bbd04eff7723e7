"""Reliability bins, Wilson intervals and error rates: known values, coverage, error texts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jomed_app.inference.calibration.reliability import (
    ReliabilityTable,
    checked_cases,
    error_rate_by_state,
    expected_calibration_error,
    fit_reliability,
    wilson_interval,
)
from tests.inference.drawn_cases import draw_cases


def test_ece_by_hand() -> None:
    probabilities = [[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.4, 0.6]]
    error = expected_calibration_error(probabilities, [0, 1, 0, 1], num_bins=10)
    assert error == pytest.approx((2 * 0.4 + 2 * 0.4) / 4)
    assert expected_calibration_error([[1.0, 0.0]], [0]) == 0


def test_wilson_known_values() -> None:
    assert wilson_interval(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert wilson_interval(0, 0) == (0.0, 1.0)


def one_bin(count: int, num_correct: int, mean: float) -> ReliabilityTable:
    return ReliabilityTable(
        edges=(), counts=(count,), num_correct=(num_correct,), mean_probability=(mean,)
    )


def test_interval_is_the_bin_s_and_holds_the_probability() -> None:
    table = ReliabilityTable(
        edges=(0.7,), counts=(10, 20), num_correct=(8, 19), mean_probability=(0.6, 0.9)
    )
    assert table.interval(0.65) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert table.interval(0.8) == pytest.approx(wilson_interval(19, 20))
    assert table.interval(0.7) == pytest.approx((0.7, wilson_interval(19, 20)[1]))
    low, high = one_bin(50, 10, 0.95).interval(0.95)
    assert high == 0.95
    assert low == pytest.approx(wilson_interval(10, 50)[0])


def test_reliability_bins_are_equally_full() -> None:
    log_prob, labels = draw_cases(500, seed=3)
    table = fit_reliability(np.exp(log_prob), labels, num_bins=5)
    assert sum(table.counts) == 500
    assert max(table.counts) - min(table.counts) <= 2
    assert np.all(np.diff(table.mean_probability) > 0)


@given(st.lists(st.sampled_from([0.5, 0.7, 0.9, 1.0]), min_size=1, max_size=30), st.integers(1, 8))
@settings(max_examples=60, deadline=None)
def test_no_reliability_bin_is_empty(confidences, num_bins) -> None:
    probabilities = np.array([[value, 1 - value] for value in confidences])
    table = fit_reliability(probabilities, np.zeros(len(confidences), dtype=int), num_bins)
    assert min(table.counts) >= 1
    assert table.num_correct == table.counts
    assert len(table.counts) == len(table.edges) + 1 <= num_bins


def test_bin_intervals_cover_the_true_accuracy() -> None:
    held = []
    for seed in range(100):
        log_prob, labels = draw_cases(200, seed=200 + seed)
        table = fit_reliability(np.exp(log_prob), labels)
        for correct, count, truth in zip(
            table.num_correct, table.counts, table.mean_probability, strict=True
        ):
            low, high = wilson_interval(correct, count)
            held.append(low <= truth <= high)
    assert 0.93 <= np.mean(held) <= 0.99


def test_error_rates_by_state() -> None:
    rates = error_rate_by_state(
        ["consistent"] * 4 + ["disagree"] * 2, [True, True, True, False, False, True]
    )
    assert list(rates) == ["consistent", "disagree"]
    assert rates["consistent"].rate == 0.25
    assert (rates["disagree"].num_errors, rates["disagree"].num_cases) == (1, 2)
    assert rates["disagree"].interval == pytest.approx(wilson_interval(1, 2))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: checked_cases(np.zeros((0, 2)), []), "N >= 1"),
        (lambda: checked_cases([[0.0, 0.0]], [0.5]), r"integers in \[0, 2\)"),
        (lambda: checked_cases([[0.0, np.nan]], [0]), "no NaN"),
        (lambda: expected_calibration_error([[1.0, 0.0]], [0], num_bins=0), "num_bins must be"),
        (lambda: fit_reliability([[1.0, 0.0]], [0], num_bins=0), "num_bins must be"),
        (lambda: wilson_interval(3, 2), r"successes must lie in \[0, 2\]"),
        (lambda: one_bin(1, 1, 1.0).interval(1.5), r"lie in \[0, 1\]"),
        (lambda: error_rate_by_state(["mixed"], [True, False]), "one truth value per state"),
    ],
)
def test_errors_say_what_was_required(call, text) -> None:
    with pytest.raises(ValueError, match=text):
        call()
