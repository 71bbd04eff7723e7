"""The vote of the nearest cases: hand values, invariances, error texts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jomed_app.retrieval.vote import SMALLEST_SHARE, neighbor_vote

cases = st.lists(st.tuples(st.floats(-1.0, 1.0), st.integers(0, 2)), min_size=1, max_size=70).map(
    lambda rows: tuple(np.array(column) for column in zip(*rows, strict=True))
)


def test_equal_scores_count_heads():
    vote = neighbor_vote([0.4] * 4, [1, 0, 1, 1], 2, 0.1)
    np.testing.assert_allclose(vote, [0.25, 0.75])


def test_a_nearer_case_counts_more_by_hand():
    # A lead of t log 3 makes one case worth three.
    vote = neighbor_vote([0.5 + 0.2 * math.log(3), 0.5], [0, 1], 2, 0.2)
    np.testing.assert_allclose(vote, [0.75, 0.25])


def test_no_label_is_ruled_out():
    vote = neighbor_vote([0.9, 0.8], [2, 2], 3, 0.1)
    whole = 1 + 2 * SMALLEST_SHARE
    np.testing.assert_allclose(vote, [SMALLEST_SHARE / whole, SMALLEST_SHARE / whole, 1 / whole])


@given(cases, st.floats(0.02, 2.0), st.floats(-3.0, 3.0), st.randoms(use_true_random=False))
def test_order_and_level_of_scores_do_not_matter(rows, temperature, level, random):
    scores, labels = rows
    order = list(range(len(scores)))
    random.shuffle(order)
    vote = neighbor_vote(scores, labels, 3, temperature)
    other = neighbor_vote(scores[order] + level, labels[order], 3, temperature)
    np.testing.assert_allclose(other, vote, rtol=1e-6)
    assert vote.sum() == pytest.approx(1.0)
    assert vote.min() >= SMALLEST_SHARE / (1 + 3 * SMALLEST_SHARE)


@pytest.mark.parametrize(
    ("scores", "labels"), [([], []), ([0.5], [0, 1]), ([[0.5]], [0])], ids=["none", "n", "shapes"]
)
def test_a_vote_needs_cases_and_a_label_each(scores, labels):
    with pytest.raises(ValueError, match="a vote needs N scores and N labels, found"):
        neighbor_vote(scores, labels, 2, 0.1)


def test_many_votes_at_once_and_cases_without_one():
    scores = [[0.5, 0.3, -np.inf], [0.2, 0.9, 0.9]]
    labels = [[0, 1, 0], [1, 1, 0]]
    together = neighbor_vote(scores, labels, 2, 0.2)
    np.testing.assert_allclose(together[0], neighbor_vote([0.5, 0.3], [0, 1], 2, 0.2))
    np.testing.assert_allclose(together[1], neighbor_vote(scores[1], labels[1], 2, 0.2))
    with pytest.raises(ValueError, match="one case with a finite score"):
        neighbor_vote([-np.inf], [0], 2, 0.2)


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan])
def test_the_temperature_is_positive(temperature):
    with pytest.raises(ValueError, match="temperature must be > 0, found"):
        neighbor_vote([0.5], [0], 2, temperature)
