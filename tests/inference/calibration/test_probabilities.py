"""Calibration: known values, recovery of a known distortion, coverage, storage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax

from jomed_app.inference.calibration.probabilities import (
    Calibration,
    Scaling,
    error_rate_by_state,
    expected_calibration_error,
    fit_conformal,
    fit_reliability,
    fit_scaling,
)
from tests.inference.drawn_cases import draw_cases


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


def test_calibration_survives_json() -> None:
    log_prob, labels = draw_cases(60, seed=6)
    probabilities = np.exp(log_prob)
    calibration = Calibration(
        scaling=fit_scaling(log_prob, labels, with_bias=True),
        reliability=fit_reliability(probabilities, labels),
        conformal=fit_conformal(probabilities, labels),
        error_rates=error_rate_by_state(["mixed"] * 60, labels == 0),
    )
    assert Calibration.model_validate_json(calibration.model_dump_json()) == calibration
    assert Calibration.model_validate({}) == Calibration()


def test_default_calibration_changes_nothing() -> None:
    log_prob, _ = draw_cases(5, seed=7)
    np.testing.assert_allclose(Calibration().scaling.apply(log_prob), log_prob)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: fit_scaling(np.zeros((0, 2)), []), "N >= 1"),
        (lambda: fit_scaling([[0.0, 0.0]], [2]), r"integers in \[0, 2\)"),
        (lambda: fit_scaling([[0.0, np.nan]], [0]), "no NaN"),
        (lambda: fit_conformal([[1.0, 0.0]], [0], alpha=1), r"alpha must lie in \(0, 1\)"),
    ],
)
def test_errors_say_what_was_required(call, text) -> None:
    with pytest.raises(ValueError, match=text):
        call()
