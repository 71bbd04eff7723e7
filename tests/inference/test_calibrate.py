"""Calibration: known values, recovery of a known distortion, coverage, storage."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax

from jomed_app.errors import BundleError
from jomed_app.inference.calibrate import (
    Calibration,
    ConformalSets,
    ReliabilityTable,
    Scaling,
    error_rate_by_state,
    expected_calibration_error,
    fit_conformal,
    fit_reliability,
    fit_scaling,
    wilson_interval,
)


def draw_cases(num_cases: int, seed: int, num_classes: int = 3):
    """Cases whose labels follow the returned log-probabilities exactly."""
    rng = np.random.default_rng(seed)
    log_prob = log_softmax(rng.normal(scale=2.0, size=(num_cases, num_classes)), axis=1)
    noise = rng.gumbel(size=log_prob.shape)
    return log_prob, (log_prob + noise).argmax(axis=1)


def nll(log_prob, labels) -> float:
    return float(-log_prob[np.arange(len(labels)), labels].mean())


def test_temperature_undoes_a_known_sharpening() -> None:
    log_prob, labels = draw_cases(4000, seed=1)
    scaling = fit_scaling(log_prob * 2.5, labels)
    assert scaling.temperature == pytest.approx(2.5, rel=0.08)
    assert scaling.bias == ()
    sharp = np.exp(log_softmax(log_prob * 2.5, axis=1))
    calibrated = np.exp(scaling.apply(log_prob * 2.5))
    assert expected_calibration_error(sharp, labels) > 0.05
    assert expected_calibration_error(calibrated, labels) < 0.025


def test_bias_undoes_a_known_prior_shift() -> None:
    log_prob, labels = draw_cases(4000, seed=2)
    shift = np.array([1.0, 0.0, -1.0])
    scaling = fit_scaling(log_prob - shift, labels, with_bias=True)
    np.testing.assert_allclose(scaling.bias, shift, atol=0.15)
    assert scaling.temperature == pytest.approx(1, rel=0.1)
    assert nll(scaling.apply(log_prob - shift), labels) < nll(log_prob - shift, labels)


def test_perfect_separation_stays_in_bounds() -> None:
    rows = np.array([[0.0, -np.inf], [-np.inf, 0.0]])
    scaling = fit_scaling(rows, [0, 1], with_bias=True)
    assert 0.05 <= scaling.temperature <= 20
    assert np.isfinite(scaling.bias).all()


def test_scaling_by_hand() -> None:
    scaled = Scaling(temperature=2.0, bias=(0.0, np.log(3.0))).apply(np.log([0.64, 0.04]))
    np.testing.assert_allclose(np.exp(scaled), [0.8 / 1.4, 0.6 / 1.4])


def test_ece_by_hand() -> None:
    probabilities = [[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.4, 0.6]]
    error = expected_calibration_error(probabilities, [0, 1, 0, 1], num_bins=10)
    assert error == pytest.approx((2 * 0.4 + 2 * 0.4) / 4)
    assert expected_calibration_error([[1.0, 0.0]], [0]) == 0


def test_wilson_known_values() -> None:
    assert wilson_interval(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_interval_is_the_bin_s_and_holds_the_probability() -> None:
    table = ReliabilityTable((0.7,), (10, 20), (8, 19), (0.6, 0.9))
    assert table.interval(0.65) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert table.interval(0.8) == pytest.approx(wilson_interval(19, 20))
    assert table.interval(0.7) == pytest.approx((0.7, wilson_interval(19, 20)[1]))
    low, high = ReliabilityTable((), (50,), (10,), (0.95,)).interval(0.95)
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


def test_conformal_quantile_by_hand() -> None:
    true_probability = np.array([0.9, 0.8, 0.7, 0.6])
    probabilities = np.stack([true_probability, 1 - true_probability], axis=1)
    sets = fit_conformal(probabilities, [0] * 4, alpha=0.4)
    assert sets.threshold == pytest.approx(0.3)
    np.testing.assert_array_equal(
        sets.members([[0.75, 0.25], [0.5, 0.5]]), [[True, False], [False, False]]
    )


def test_conformal_with_too_few_cases_holds_every_label() -> None:
    sets = fit_conformal([[0.9, 0.1]], [0], alpha=0.1)
    assert sets.members([[1.0, 0.0]]).all()


def test_conformal_sets_cover_as_promised() -> None:
    coverage = []
    for seed in range(40):
        log_prob, labels = draw_cases(400, seed=100 + seed)
        wrong_model = np.exp(log_softmax(log_prob * 3, axis=1))
        sets = fit_conformal(wrong_model[:200], labels[:200], alpha=0.1)
        held = sets.members(wrong_model[200:])[np.arange(200), labels[200:]]
        coverage.append(held.mean())
    assert np.mean(coverage) == pytest.approx(0.9 + 0.0025, abs=0.012)


def test_error_rates_by_state() -> None:
    rates = error_rate_by_state(
        ["consistent"] * 4 + ["disagree"] * 2, [True, True, True, False, False, True]
    )
    assert list(rates) == ["consistent", "disagree"]
    assert rates["consistent"].rate == 0.25
    assert (rates["disagree"].num_errors, rates["disagree"].num_cases) == (1, 2)
    assert rates["disagree"].interval == pytest.approx(wilson_interval(1, 2))


def test_calibration_survives_json() -> None:
    log_prob, labels = draw_cases(60, seed=6)
    probabilities = np.exp(log_prob)
    calibration = Calibration(
        scaling=fit_scaling(log_prob, labels, with_bias=True),
        reliability=fit_reliability(probabilities, labels),
        conformal=fit_conformal(probabilities, labels),
        error_rates=error_rate_by_state(["mixed"] * 60, labels == 0),
    )
    assert Calibration.from_dict(json.loads(json.dumps(calibration.to_dict()))) == calibration
    assert Calibration.from_dict({}) == Calibration()


def test_default_calibration_changes_nothing() -> None:
    log_prob, _ = draw_cases(5, seed=7)
    np.testing.assert_allclose(Calibration().scaling.apply(log_prob), log_prob)


def test_damaged_storage_is_named() -> None:
    with pytest.raises(BundleError, match=r"ConformalSets in the bundle must follow.*threshold"):
        ConformalSets.from_dict({"alpha": 0.1, "num_cases": 3})


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: fit_scaling(np.zeros((0, 2)), []), "N >= 1"),
        (lambda: fit_scaling([[0.0, 0.0]], [2]), r"integers in \[0, 2\)"),
        (lambda: fit_scaling([[0.0, np.nan]], [0]), "no NaN"),
        (lambda: expected_calibration_error([[1.0, 0.0]], [0], num_bins=0), "num_bins must be"),
        (lambda: fit_reliability([[1.0, 0.0]], [0], num_bins=0), "num_bins must be"),
        (lambda: fit_conformal([[1.0, 0.0]], [0], alpha=1), r"alpha must lie in \(0, 1\)"),
        (lambda: wilson_interval(3, 2), r"successes must lie in \[0, 2\]"),
        (lambda: ReliabilityTable((), (1,), (1,), (1.0,)).interval(1.5), r"lie in \[0, 1\]"),
        (lambda: error_rate_by_state(["mixed"], [True, False]), "one truth value per state"),
    ],
)
def test_errors_say_what_was_required(call, text) -> None:
    with pytest.raises(ValueError, match=text):
        call()
