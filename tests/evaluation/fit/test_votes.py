"""The share of the vote is fitted on other images than those that it answers about."""

from __future__ import annotations

import numpy as np
import pytest

from jomed_app.evaluation.fit.votes import fit_votes, settle_votes
from jomed_app.evaluation.metrics.free_answers import AnsweredQuestion
from jomed_app.inference.questions.free_answers import gather_answers, open_profile
from jomed_app.retrieval.question_search import Voter

PROFILE = open_profile(0.1)


def reading(*said, voters=()):
    """What the reader says alone, as (answer, probability), and who votes."""
    log_likelihood = np.log([[probability for _, probability in said]])
    return gather_answers([answer for answer, _ in said], log_likelihood, [], voters)


def asked(group, reference, read, voted, answer="?"):
    readings = {"rag": reading((read, 0.7), ("other", 0.3), voters=[Voter(voted, 1.0)])}
    return AnsweredQuestion(group, "Where?", reference, False, {"rag": answer}, readings=readings)


def test_where_the_vote_is_right_it_is_heard():
    questions = [asked(f"g{place}", "liver", "lung", "liver") for place in range(6)]
    assert fit_votes(questions, "rag", PROFILE).settings.vote_share > 0.4
    assert [one.answers["rag"] for one in settle_votes(questions, PROFILE)] == ["liver"] * 6


def test_where_the_reader_is_right_the_vote_is_not_heard():
    questions = [asked(f"g{place}", "lung", "lung", "liver") for place in range(6)]
    assert fit_votes(questions, "rag", PROFILE).settings.vote_share == 0.0
    assert [one.answers["rag"] for one in settle_votes(questions, PROFILE)] == ["lung"] * 6


def test_no_image_is_answered_with_what_was_fitted_on_it():
    odd = asked("odd", "liver", "lung", "liver")
    rest = [asked(f"g{place}", "lung", "lung", "liver") for place in range(9)]
    settled = settle_votes([odd, *rest], PROFILE, num_parts=10)
    assert settled[0].answers["rag"] == "lung", "alone it would have listened to the vote"
    assert {one.answers["rag"] for one in settled[1:]} == {"lung"}


def test_one_image_alone_is_answered_with_the_default():
    assert fit_votes([], "rag", PROFILE) is PROFILE
    alone = [asked("g", "x", "lung", "liver"), asked("g", "y", "lung", "liver")]
    settled = settle_votes(alone, PROFILE)
    assert [one.answers["rag"] for one in settled] == ["liver", "liver"]


def test_questions_without_anything_heard_stay():
    plain = AnsweredQuestion("g", "Where?", "lung", False, {"copied": "lung"})
    assert settle_votes([plain], PROFILE) == [plain]


def test_nothing_is_fitted_on_an_unknown_kind_of_question():
    closed = AnsweredQuestion(
        "g", "Is it?", "yes", True, {"rag": "?"}, readings={"rag": reading(("yes", 1.0))}
    )
    assert fit_votes([closed], "rag", PROFILE).settings.vote_share == pytest.approx(0.0)
