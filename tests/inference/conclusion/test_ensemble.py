"""The ensemble: hand values, the ends, who is silent, what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jomed_app.inference.conclusion.ensemble import leave_new_labels_to_vote, mix


def test_a_mixture_by_hand():
    log_prob = np.log([[0.8, 0.2], [0.5, 0.5]])
    mixed = np.exp(mix(log_prob, [(np.array([0.25, 0.75]), 0.4)]))
    np.testing.assert_allclose(mixed, [[0.58, 0.42], [0.4, 0.6]])


def test_two_parts_by_hand():
    parts = [(np.array([1.0, 0.0]), 0.25), (np.array([0.0, 1.0]), 0.25)]
    np.testing.assert_allclose(np.exp(mix(np.log([0.5, 0.5]), parts)), [0.5, 0.5])
    np.testing.assert_allclose(np.exp(mix(np.log([0.9, 0.1]), parts)), [0.7, 0.3])


def test_a_part_per_row():
    log_prob = np.log([[0.5, 0.5], [0.5, 0.5]])
    mixed = np.exp(mix(log_prob, [(np.array([[1.0, 0.0], [0.0, 1.0]]), 0.5)]))
    np.testing.assert_allclose(mixed, [[0.75, 0.25], [0.25, 0.75]])


def test_the_ends_are_one_or_the_other():
    log_prob, said = np.log([0.8, 0.2]), np.array([1.0, 0.0])
    np.testing.assert_array_equal(mix(log_prob, [(said, 0.0)]), log_prob)
    np.testing.assert_array_equal(np.exp(mix(log_prob, [(said, 1.0)])), said)


@given(st.floats(0.0, 1.0), st.floats(0.01, 0.99), st.floats(0.0, 1.0))
def test_a_mixture_lies_between_and_sums_to_one(share, prob, said):
    part = np.array([said, 1 - said])
    mixed = np.exp(mix(np.log([prob, 1 - prob]), [(part, share)]))
    assert mixed.sum() == pytest.approx(1.0)
    assert min(prob, said) - 1e-9 <= mixed[0] <= max(prob, said) + 1e-9


@pytest.mark.parametrize("shares", [(-0.1, 0.2), (0.6, 0.5), (math.nan, 0.0)])
def test_shares_are_shares(shares):
    said = np.array([0.5, 0.5])
    with pytest.raises(ValueError, match="shares must be >= 0 and sum to 1 at most, found"):
        mix(np.log([0.5, 0.5]), [(said, share) for share in shares])


def test_without_a_reader_the_parts_fill_the_whole():
    parts = [(np.array([1.0, 0.0]), 0.1), (np.array([0.0, 1.0]), 0.3)]
    np.testing.assert_allclose(np.exp(mix(None, parts)), [0.25, 0.75])
    alone = [(np.array([0.3, 0.7]), 0.0)]
    np.testing.assert_allclose(np.exp(mix(None, alone)), [0.3, 0.7])


def test_nobody_at_all_is_refused():
    with pytest.raises(ValueError, match="needs the reader or another part, found neither"):
        mix(None, [])


def test_the_vote_alone_speaks_for_a_label_of_the_index_by_hand():
    log_prob = np.log([[0.6, 0.2, 0.2], [0.1, 0.4, 0.5]])
    vote = np.array([0.3, 0.2, 0.5])
    heard = np.exp(leave_new_labels_to_vote(log_prob, vote, np.array([False, False, True])))
    np.testing.assert_allclose(heard, [[0.375, 0.125, 0.5], [0.1, 0.4, 0.5]])


@given(st.lists(st.floats(0.01, 1.0), min_size=4, max_size=4), st.floats(0.0, 1.0))
def test_trained_labels_keep_their_order_and_all_sums_to_one(values, share):
    prob = np.array(values) / sum(values)
    vote = np.array([(1 - share) / 3] * 3 + [share])
    heard = np.exp(leave_new_labels_to_vote(np.log(prob), vote, np.array([False] * 3 + [True])))
    assert heard.sum() == pytest.approx(1.0)
    assert heard[3] == pytest.approx(share)
    np.testing.assert_allclose(heard[:3] * prob[:3].sum(), prob[:3] * (1 - share), atol=1e-12)


def test_a_label_of_the_index_needs_one_that_was_trained():
    with pytest.raises(ValueError, match="one label at least must be known by training"):
        leave_new_labels_to_vote(np.log([1.0]), np.array([1.0]), np.array([True]))
