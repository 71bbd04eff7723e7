"""Opinions beside the candidates: hand values, the ends, what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jomed_app.inference.ensemble import Opinions, hear_index_only, mix_opinions


def test_a_mixture_by_hand():
    log_prob = np.log([[0.8, 0.2], [0.5, 0.5]])
    mixed = np.exp(mix_opinions(log_prob, [(np.array([0.25, 0.75]), 0.4)]))
    np.testing.assert_allclose(mixed, [[0.58, 0.42], [0.4, 0.6]])


def test_two_opinions_by_hand():
    opinions = [(np.array([1.0, 0.0]), 0.25), (np.array([0.0, 1.0]), 0.25)]
    np.testing.assert_allclose(np.exp(mix_opinions(np.log([0.5, 0.5]), opinions)), [0.5, 0.5])
    np.testing.assert_allclose(np.exp(mix_opinions(np.log([0.9, 0.1]), opinions)), [0.7, 0.3])


def test_an_opinion_per_row():
    log_prob = np.log([[0.5, 0.5], [0.5, 0.5]])
    mixed = np.exp(mix_opinions(log_prob, [(np.array([[1.0, 0.0], [0.0, 1.0]]), 0.5)]))
    np.testing.assert_allclose(mixed, [[0.75, 0.25], [0.25, 0.75]])


def test_the_ends_are_one_or_the_other():
    log_prob, said = np.log([0.8, 0.2]), np.array([1.0, 0.0])
    np.testing.assert_array_equal(mix_opinions(log_prob, [(said, 0.0)]), log_prob)
    np.testing.assert_array_equal(np.exp(mix_opinions(log_prob, [(said, 1.0)])), said)


@given(st.floats(0.0, 1.0), st.floats(0.01, 0.99), st.floats(0.0, 1.0))
def test_a_mixture_lies_between_and_sums_to_one(share, prob, said):
    opinion = np.array([said, 1 - said])
    mixed = np.exp(mix_opinions(np.log([prob, 1 - prob]), [(opinion, share)]))
    assert mixed.sum() == pytest.approx(1.0)
    assert min(prob, said) - 1e-9 <= mixed[0] <= max(prob, said) + 1e-9


@pytest.mark.parametrize("shares", [(-0.1, 0.2), (0.6, 0.5), (math.nan, 0.0)])
def test_shares_are_shares(shares):
    said = np.array([0.5, 0.5])
    with pytest.raises(ValueError, match="shares must be >= 0 and sum to 1 at most, found"):
        mix_opinions(np.log([0.5, 0.5]), [(said, share) for share in shares])


def test_who_says_nothing_weighs_nothing():
    opinions = Opinions({}, 0.4, {"a": 0.25, "b": 0.75}, 0.2)
    assert opinions.shares == (0.0, 0.2)
    mixed = np.exp(opinions.mix(np.log([0.5, 0.5]), ("a", "b")))
    np.testing.assert_allclose(mixed, [0.45, 0.55])


def test_the_vote_alone_speaks_for_a_label_of_the_index_by_hand():
    log_prob = np.log([[0.6, 0.2, 0.2], [0.1, 0.4, 0.5]])
    vote = np.array([0.3, 0.2, 0.5])
    heard = np.exp(hear_index_only(log_prob, vote, np.array([False, False, True])))
    np.testing.assert_allclose(heard, [[0.375, 0.125, 0.5], [0.1, 0.4, 0.5]])


@given(st.lists(st.floats(0.01, 1.0), min_size=4, max_size=4), st.floats(0.0, 1.0))
def test_trained_labels_keep_their_order_and_all_sums_to_one(values, share):
    prob = np.array(values) / sum(values)
    vote = np.array([(1 - share) / 3] * 3 + [share])
    heard = np.exp(hear_index_only(np.log(prob), vote, np.array([False] * 3 + [True])))
    assert heard.sum() == pytest.approx(1.0)
    assert heard[3] == pytest.approx(share)
    np.testing.assert_allclose(heard[:3] * prob[:3].sum(), prob[:3] * (1 - share), atol=1e-12)


def test_a_label_of_the_index_needs_one_that_was_trained():
    with pytest.raises(ValueError, match="one label at least must be known by training"):
        hear_index_only(np.log([1.0]), np.array([1.0]), np.array([True]))


def test_opinions_know_which_labels_are_the_index_s():
    labels = ("a", "b", "new")
    said = Opinions({"a": 0.2, "new": 0.8}, 0.5, index_only=("new",))
    mixed = np.exp(said.mix(np.log([0.25, 0.5, 0.25]), labels))
    # half of the reader and half of the vote: 0.225, 0.25; they share what the vote leaves
    np.testing.assert_allclose(mixed, [0.2 * 0.225 / 0.475, 0.2 * 0.25 / 0.475, 0.8])
    silent = Opinions(index_only=("new",))
    np.testing.assert_allclose(
        np.exp(silent.mix(np.log([0.25, 0.5, 0.25]), labels)), [1 / 3, 2 / 3, 0]
    )
