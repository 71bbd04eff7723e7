"""Votes of known answers: hand values, and who decides when."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jomed_app.inference.answer_vote import (
    VoteSettings,
    answer_with_vote,
    vote_shares,
)
from jomed_app.retrieval.question_search import Voter

VOTERS = (Voter("Left lung", 3.0), Voter("right lung", 2.9), Voter("left  lung", 2.8))


def test_shares_by_hand():
    shares = vote_shares(VOTERS, 0.1)
    weights = [1.0, math.exp(-1), math.exp(-2)]
    assert shares["left lung"] == pytest.approx((weights[0] + weights[2]) / sum(weights))
    assert shares["right lung"] == pytest.approx(weights[1] / sum(weights))
    assert vote_shares((), 0.1) == {}


@given(
    st.lists(st.tuples(st.text(max_size=5), st.floats(-5, 5)), min_size=1),
    st.floats(0.01, 10),
)
def test_shares_sum_to_one(pairs, temperature):
    shares = vote_shares([Voter(*pair) for pair in pairs], temperature)
    assert sum(shares.values()) == pytest.approx(1.0)


def test_without_voters_the_reader_decides():
    assert answer_with_vote({"no": 0.4, "yes": 0.6}, (), VoteSettings(share=1.0)) == "yes"


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.0, "Right lung"), (0.2, "Right lung"), (0.9, "Left lung"), (1.0, "Left lung")],
)
def test_the_share_decides_between_reader_and_vote(share, expected):
    read = {"Right lung": 0.9, "liver": 0.1}
    assert answer_with_vote(read, VOTERS, VoteSettings(share, 0.1)) == expected


def test_reader_and_vote_add_up_where_they_say_the_same():
    read = {"a": 0.4, "b": 0.35, "c": 0.25}
    voters = (Voter("b", 1.0), Voter("d", 1.0))
    assert answer_with_vote(read, voters, VoteSettings(0.5, 1.0)) == "b"


def test_the_reader_words_an_answer_that_both_give():
    assert answer_with_vote({"LEFT lung": 0.5}, VOTERS, VoteSettings(0.9, 0.1)) == "LEFT lung"
