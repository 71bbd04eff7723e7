"""Inconsistent predictions, the oracle and its chance baseline: hand values and invariances."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jomed_app.evaluation.metrics.consistency import (
    answer_variance,
    chance_oracle,
    is_inconsistent,
    label_agreement_at_k,
    oracle_accuracy,
    pass_at_k,
)

AGREE = np.array([[0.8, 0.2], [0.6, 0.4]])
DIFFER = np.array([[0.8, 0.2], [0.3, 0.7], [0.9, 0.1]])


def test_inconsistent_means_more_than_one_prediction() -> None:
    np.testing.assert_array_equal(is_inconsistent([AGREE, DIFFER, AGREE[:1]]), [False, True, False])


def test_oracle_needs_one_right_candidate() -> None:
    assert oracle_accuracy([AGREE, DIFFER], [1, 1]) == 0.5
    assert oracle_accuracy([AGREE, DIFFER], [0, 1]) == 1


def test_the_heaviest_candidates_count_first() -> None:
    """The second of DIFFER, its lightest, is the only one that says 1."""
    weights = [np.array([0.5, 0.5]), np.array([0.5, 0.2, 0.3])]
    found = [pass_at_k([AGREE, DIFFER], weights, [0, 1], k) for k in (1, 2, 3)]
    assert found == [0.5, 0.5, 1.0]
    assert pass_at_k([AGREE, DIFFER], weights, [0, 1], 3) == oracle_accuracy(
        [AGREE, DIFFER], [0, 1]
    )
    assert math.isnan(pass_at_k([AGREE, DIFFER], weights, [0, 1], 4))
    with pytest.raises(ValueError, match="k must be >= 1, found 0"):
        pass_at_k([AGREE], weights[:1], [0], 0)


def test_chance_oracle_known_values() -> None:
    assert chance_oracle([np.ones((4, 2))]) == pytest.approx(0.9375)
    assert chance_oracle([np.ones((4, 5))]) == pytest.approx(0.5904)
    assert chance_oracle([np.ones((4, 2)), np.ones((1, 2))]) == pytest.approx((0.9375 + 0.5) / 2)


def test_oracle_of_guesses_meets_its_chance_baseline() -> None:
    generator = np.random.default_rng(0)
    candidates = list(generator.random((4000, 3, 4)))
    labels = generator.integers(4, size=4000)
    assert oracle_accuracy(candidates, labels) == pytest.approx(
        chance_oracle(candidates), abs=0.025
    )


def test_label_agreement_by_hand() -> None:
    assert label_agreement_at_k([[1, 1, 0, 1], [0, 0]], [1, 1]) == pytest.approx(0.375)


def test_answer_variance_by_hand() -> None:
    rows = np.exp([[-1.0, -0.5], [-3.0, -0.5]])
    assert answer_variance([rows], [0]) == pytest.approx(1.0)
    assert answer_variance([rows, rows], [1, 1]) == 0
    assert np.isfinite(answer_variance([np.array([[1.0, 0.0], [0.5, 0.5]])], [1]))


@given(st.permutations(range(3)))
@settings(max_examples=6, deadline=None)
def test_candidate_order_does_not_matter(order) -> None:
    moved = [DIFFER[list(order)]]
    assert is_inconsistent(moved)[0]
    assert oracle_accuracy(moved, [1]) == oracle_accuracy([DIFFER], [1])
    assert answer_variance(moved, [1]) == pytest.approx(answer_variance([DIFFER], [1]))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: is_inconsistent([np.zeros((0, 2))]), "one candidate or more"),
        (lambda: oracle_accuracy([np.zeros((0, 2))], [0]), "one candidate or more"),
        (lambda: oracle_accuracy([AGREE], [0, 1]), "one label per case"),
        (lambda: chance_oracle([]), "one case or more"),
        (lambda: label_agreement_at_k([[]], [0]), "one candidate or more"),
        (lambda: label_agreement_at_k([], []), "one case or more"),
        (lambda: answer_variance([np.zeros((0, 2))], [0]), "one candidate or more"),
        (lambda: answer_variance([AGREE], []), "one label per case"),
    ],
)
def test_errors_say_what_was_required(call, text) -> None:
    with pytest.raises(ValueError, match=text):
        call()
