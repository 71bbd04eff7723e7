"""Metrics: hand values, ties, undefined cases, error texts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import roc_auc_score

from jomed_app.evaluation.metrics.probabilities import (
    accuracy,
    balanced_accuracy,
    binary_auroc,
    brier_score,
    macro_auroc,
    macro_f1,
    negative_log_likelihood,
    sensitivity,
    specificity,
    specificity_at_sensitivity,
    to_binary,
)

PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.5, 0.3, 0.2], [0.1, 0.6, 0.3], [0.2, 0.3, 0.5]])
LABELS = np.array([0, 1, 1, 2])


def test_hand_values() -> None:
    assert accuracy(PROBABILITIES, LABELS) == 0.75
    assert balanced_accuracy(PROBABILITIES, LABELS) == pytest.approx((1 + 0.5 + 1) / 3)
    assert macro_f1(PROBABILITIES, LABELS) == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)
    expected = -np.log([0.7, 0.3, 0.6, 0.5]).mean()
    assert negative_log_likelihood(PROBABILITIES, LABELS) == pytest.approx(expected)
    assert brier_score([[0.7, 0.3], [0.5, 0.5]], [0, 1]) == pytest.approx((0.18 + 0.5) / 2)


def test_fold_into_positive_and_rest() -> None:
    folded, is_positive = to_binary(PROBABILITIES, LABELS, positive=2)
    np.testing.assert_allclose(folded[:, 1], [0.1, 0.2, 0.3, 0.5])
    np.testing.assert_array_equal(is_positive, [0, 0, 0, 1])
    assert sensitivity(PROBABILITIES, LABELS, 2) == 1
    assert specificity(PROBABILITIES, LABELS, 1) == 1
    assert sensitivity(PROBABILITIES, LABELS, 1) == 0.5


def test_an_operating_point_by_hand() -> None:
    """Positives score 0.9, 0.6, 0.4, 0.2; negatives 0.5, 0.3, 0.1, 0.4."""
    scores = np.array([0.9, 0.6, 0.4, 0.2, 0.5, 0.3, 0.1, 0.4])
    rows = np.stack([1 - scores, scores], axis=1)
    truth = [1, 1, 1, 1, 0, 0, 0, 0]
    found = [specificity_at_sensitivity(rows, truth, 1, each) for each in (0.5, 0.75, 0.76, 1.0)]
    assert found == [1.0, 0.5, 0.25, 0.25], "the threshold itself counts as positive"
    assert math.isnan(specificity_at_sensitivity(rows[:4], truth[:4], 1, 0.9))
    twenty = np.linspace(0.01, 0.99, 20)
    many = np.stack([1 - twenty, twenty], axis=1)
    labels = [1] * 10 + [0] * 10
    assert specificity_at_sensitivity(many, labels, 1, 0.9) == 0.0
    with pytest.raises(ValueError, match=r"target must lie in \(0, 1\], found 0"):
        specificity_at_sensitivity(rows, truth, 1, 0)


def test_auroc_counts_ties_one_half() -> None:
    tied = np.array([[0.5, 0.5]] * 4)
    assert binary_auroc(tied, [0, 1, 0, 1], 1) == 0.5
    scores = np.array([0.2, 0.6, 0.6, 0.9])
    rows = np.stack([1 - scores, scores], axis=1)
    assert binary_auroc(rows, [0, 0, 1, 1], 1) == pytest.approx(3.5 / 4)


@given(
    arrays(np.float64, 20, elements=st.sampled_from([0.0, 0.25, 0.5, 1.0])),
    arrays(np.int64, 20, elements=st.integers(0, 1)).filter(lambda y: 0 < y.sum() < 20),
)
@settings(max_examples=30, deadline=None)
def test_auroc_equals_scikit_learn(scores, labels) -> None:
    rows = np.stack([1 - scores, scores], axis=1)
    assert binary_auroc(rows, labels, 1) == pytest.approx(roc_auc_score(labels, scores))


def test_macro_auroc_is_the_mean_over_classes_that_occur() -> None:
    single = [binary_auroc(PROBABILITIES, LABELS, positive) for positive in range(3)]
    assert macro_auroc(PROBABILITIES, LABELS) == pytest.approx(np.mean(single))
    two = [binary_auroc(PROBABILITIES[:3], LABELS[:3], positive) for positive in range(2)]
    assert macro_auroc(PROBABILITIES[:3], LABELS[:3]) == pytest.approx(np.mean(two))


def test_what_cases_do_not_define_is_nan() -> None:
    assert math.isnan(binary_auroc(PROBABILITIES[:1], [0], 0))
    assert math.isnan(macro_auroc(PROBABILITIES[:1], [0]))
    assert math.isnan(sensitivity(PROBABILITIES[:1], [0], 1))


def test_class_that_never_occurs_is_no_error() -> None:
    assert balanced_accuracy(PROBABILITIES, [0, 0, 1, 1]) == pytest.approx((1 + 0.5) / 2)
    assert macro_f1(PROBABILITIES[:2], [0, 0]) == 1


@given(arrays(np.float64, (12, 3), elements=st.floats(0.01, 1)), st.permutations(range(12)))
@settings(max_examples=30, deadline=None)
def test_case_order_does_not_matter(rows, order) -> None:
    rows = rows / rows.sum(axis=1, keepdims=True)
    labels = np.arange(12) % 3
    for metric in (accuracy, balanced_accuracy, macro_f1, macro_auroc, brier_score):
        assert metric(rows[order], labels[order]) == pytest.approx(metric(rows, labels))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: accuracy(np.zeros((0, 2)), []), "N >= 1"),
        (lambda: binary_auroc(PROBABILITIES, LABELS, 3), r"positive must lie in \[0, 3\)"),
        (lambda: to_binary(PROBABILITIES, LABELS, -1), r"positive must lie in \[0, 3\)"),
    ],
)
def test_errors_say_what_was_required(call, text) -> None:
    with pytest.raises(ValueError, match=text):
        call()
