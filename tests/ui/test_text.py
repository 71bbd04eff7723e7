"""Sentences with figures in them: counts, never certainty."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jomed_app.types import CandidateResult
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
    case = CandidateResult(
        rank=1, candidate_id="a", heads=("text",), retriever_score=1.0, weight=1.0,
        similarity_percentile=12.0, image_percentile=100.0, label="x", passage="",
    )  # fmt: skip
    assert text.less_alike(case) == "99.9 %"
    older = case.model_copy(update={"image_percentile": None})
    assert text.less_alike(older) == "12.0 %"


@pytest.mark.parametrize(
    ("share", "words"),
    [(1.0, "100 %"), (0.123, "12 %"), (0.0995, "10 %"), (0.0994, "9.9 %"), (0.02, "2.0 %"),
     (0.0019, "0.2 %"), (0.0004, "under 0.1 %"), (0.0, "0.0 %")],
)  # fmt: skip
def test_a_share_of_the_answer_is_never_rounded_to_nothing(share, words):
    assert text.share_words(share) == words


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
