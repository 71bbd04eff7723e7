"""Sentences with figures in them: counts, never certainty."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jomed_app.ui import text


@given(st.floats(0, 1))
def test_count_words_never_claim_certainty(probability):
    words = text.count_words(probability)
    assert "10 of 10" not in words
    assert "0 of 10" not in words.replace("10 such", "")


@pytest.mark.parametrize(
    ("probability", "words"),
    [(0.68, "about 7 of 10 such cases"), (0.02, "fewer than 1 of 10"), (0.99, "nearly all")],
)
def test_count_words(probability, words):
    assert words in text.count_words(probability)


def test_a_percentile_is_never_all_pairs():
    assert text.percentile_words(100.0) == "closer than 99.9 % of random corpus pairs"


def test_a_run_without_a_case_says_that_none_was_read():
    assert "no case was read" in text.done_status(500.0, 0)
    assert text.done_status(1500.0, 4) == "Done: 4 similar cases read in 1.5 s."


@pytest.mark.parametrize(
    ("number", "word"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (13, "13th"),
     (21, "21st"), (50, "50th"), (111, "111th")],
)  # fmt: skip
def test_ordinals(number, word):
    assert text.ordinal(number) == word
