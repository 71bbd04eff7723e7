"""Scores of free answers: hand values of recall and containment, intervals, a baseline."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jomed_app.evaluation.metrics.free_answers import (
    AnsweredQuestion,
    KnownAnswers,
    VqaScores,
    answer_words,
    is_contained,
    is_exact,
    token_recall,
)

WORDS = st.lists(st.sampled_from(["left", "lung", "no", "2", "mass"]), max_size=5).map(" ".join)


@pytest.mark.parametrize(
    ("prediction", "reference", "recall"),
    [
        ("left lung", "Left lung.", 1.0),
        ("lung", "left lung", 0.5),
        ("the right lung", "left lung", 0.5),
        ("two", "2", 1.0),
        ("heart heart", "heart lung", 0.5),
        ("heart", "heart heart", 0.5),
        ("", "liver", 0.0),
        ("anything", "the", 1.0),
    ],
)
def test_recall_by_hand(prediction, reference, recall):
    assert token_recall(prediction, reference) == recall


@pytest.mark.parametrize(
    ("prediction", "reference", "is_right"),
    [
        ("Yes, there is", "yes", True),
        ("normal", "no", False),
        ("no", "No.", True),
        ("the left side of it", "left side", True),
        ("side left", "left side", False),
        ("", "yes", False),
    ],
)
def test_containment_is_of_whole_words(prediction, reference, is_right):
    assert is_contained(prediction, reference) is is_right


@given(WORDS, WORDS)
def test_what_is_contained_is_recalled_and_exact_is_both(prediction, reference):
    assert 0 <= token_recall(prediction, reference) <= 1
    if is_contained(prediction, reference):
        assert token_recall(prediction, reference) == 1
    if is_exact(prediction, reference):
        assert is_contained(prediction, reference)
    assert is_exact(prediction, prediction)


def test_words_are_compared_without_marks():
    assert answer_words("X-ray, of THE chest (PA)") == ["x", "ray", "of", "chest", "pa"]


def asked(group, reference, answer, is_closed):
    return AnsweredQuestion(group, "?", reference, is_closed, {"rag": answer})


QUESTIONS = [
    asked("a", "left lung", "lung", False),
    asked("a", "liver", "liver", False),
    asked("b", "yes", "yes", True),
    asked("b", "no", "yes", True),
    asked("c", "yes", "yes", True),
    asked("c", "no", "no", True),
]


def test_open_closed_and_their_mean_by_hand():
    scores = VqaScores(QUESTIONS, "rag")
    assert scores.open_recall() == 0.75
    assert scores.closed_accuracy() == 0.75
    assert scores.mean() == 0.75
    assert scores.exact.sum() == 4
    assert scores.open_recall(np.array([0])) == 0.5
    assert math.isnan(scores.mean(np.array([0])))
    assert math.isnan(scores.closed_accuracy(np.array([0, 1])))


def test_an_interval_holds_the_value_and_is_drawn_over_images():
    scores = VqaScores(QUESTIONS * 5, "rag")
    found = scores.interval("closed_accuracy", num_resamples=200)
    assert found.low <= found.value == 0.75 <= found.high
    assert found.high > found.low
    assert scores.interval("mean", 3, 50) == scores.interval("mean", 3, 50)


def test_questions_are_needed_and_answers_of_the_system():
    with pytest.raises(ValueError, match="need one question or more"):
        VqaScores([], "rag")
    with pytest.raises(ValueError, match="answer of 'joint', found one without"):
        VqaScores(QUESTIONS, "joint")


def test_known_answers_fall_back_from_the_question_to_its_kind():
    known = KnownAnswers(
        [
            ("Is it CT?", "Yes", True),
            ("is it ct", "no", True),
            ("Is it CT ?", "No", True),
            ("What organ?", "Liver", False),
        ]
    )
    assert known.most_frequent("Is it CT?", True) == "no"
    assert known.most_frequent("Is it new?", True) == "no"
    assert known.most_frequent("What plane?", False) == "liver"
    assert KnownAnswers([]).most_frequent("What?", False) == ""
