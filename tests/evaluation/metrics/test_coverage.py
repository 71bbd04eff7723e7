"""Risk and coverage: hand values, ties, invariance, bounds, error texts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jomed_app.evaluation.metrics.coverage import (
    coverage_curve,
    ranked_risk_area,
    risk_coverage_area,
)
from jomed_app.evaluation.metrics.probabilities import accuracy


def rows(*confidences):
    """Two classes; class 0 is always the more likely one."""
    return np.array([(each, 1 - each) for each in confidences])


def test_the_area_has_its_hand_value():
    """By confidence: right, wrong, right; errors among the first 1, 2, 3: 0, 1/2, 1/3."""
    found = risk_coverage_area(rows(0.7, 0.9, 0.6), [1, 0, 0])
    assert found == pytest.approx((0 + 1 / 2 + 1 / 3) / 3)


def test_a_rank_goes_before_confidence():
    """By rank: the right ones first, by confidence among them; errors 0, 0, 1/3."""
    said, truth = rows(0.7, 0.9, 0.6), [1, 0, 0]
    assert ranked_risk_area(said, truth, [1, 0, 0]) == pytest.approx((0 + 0 + 1 / 3) / 3)
    assert ranked_risk_area(said, truth, [2, 2, 2]) == risk_coverage_area(said, truth)
    with pytest.raises(ValueError, match="one rank a case"):
        ranked_risk_area(said, truth, [0, 1])


def test_the_curve_has_its_hand_value():
    curve = coverage_curve(rows(0.7, 0.9, 0.6), [1, 0, 0])
    assert curve.coverages == (0.3333, 0.6667, 1.0)
    assert curve.accuracies == (1.0, 0.5, 0.6667)


def test_ties_count_as_a_random_order_of_them():
    """One of two equally confident cases is wrong: half an error among the first."""
    for labels in ([0, 1], [1, 0]):
        assert risk_coverage_area(rows(0.8, 0.8), labels) == pytest.approx(0.5)
        assert coverage_curve(rows(0.8, 0.8), labels).accuracies == (0.5, 0.5)


def test_few_points_are_kept_and_the_last_is_all_cases():
    rng = np.random.default_rng(0)
    said, labels = rng.dirichlet(np.ones(3), size=101), rng.integers(3, size=101)
    curve = coverage_curve(said, labels, num_points=4)
    assert curve.coverages == (0.2574, 0.505, 0.7525, 1.0)  # 26, 51, 76 and 101 cases
    assert curve.accuracies[-1] == pytest.approx(accuracy(said, labels), abs=1e-4)
    order = np.argsort(-said.max(axis=1))[:26]
    assert curve.accuracies[0] == pytest.approx(accuracy(said[order], labels[order]), abs=1e-4)


cases = st.integers(1, 30).flatmap(
    lambda count: st.tuples(
        st.lists(st.sampled_from([0.55, 0.6, 0.7, 0.9]), min_size=count, max_size=count),
        st.lists(st.integers(0, 1), min_size=count, max_size=count),
        st.permutations(range(count)),
    )
)


@given(cases)
def test_the_order_of_the_cases_changes_nothing(drawn):
    confidences, labels, order = drawn
    said, truth = rows(*confidences), np.array(labels)
    area, curve = risk_coverage_area(said, truth), coverage_curve(said, truth)
    assert risk_coverage_area(said[order], truth[order]) == pytest.approx(area)
    assert coverage_curve(said[order], truth[order]) == curve
    assert -1e-12 <= area <= 1 + 1e-12


def test_knowing_when_one_is_right_is_better_than_not():
    labels = [0, 0, 0, 1]
    sure, unsure = rows(0.9, 0.8, 0.7, 0.6), rows(0.6, 0.7, 0.8, 0.9)
    assert risk_coverage_area(sure, labels) < risk_coverage_area(unsure, labels)


@pytest.mark.parametrize("call", [risk_coverage_area, coverage_curve])
def test_cases_must_fit(call):
    with pytest.raises(ValueError, match=r"cases must be \(N, C\)"):
        call(np.zeros((0, 2)), [])


def test_a_curve_needs_a_point():
    with pytest.raises(ValueError, match="num_points must be >= 1, found 0"):
        coverage_curve(rows(0.6), [0], num_points=0)
