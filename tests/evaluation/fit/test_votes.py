"""The share of the vote is fitted on other images than those that it answers about."""

from __future__ import annotations

import pytest

from jomed_app.evaluation.fit.votes import fit_votes, settle_votes
from jomed_app.evaluation.metrics.free_answers import AnsweredQuestion, Heard
from jomed_app.inference.answer_vote import VoteSettings
from jomed_app.retrieval.question_search import Voter


def asked(group, reference, read, voted, answer="?"):
    heard = {"rag": Heard({read: 0.7, "other": 0.3}, [Voter(voted, 1.0)])}
    return AnsweredQuestion(group, "Where?", reference, False, {"rag": answer}, heard=heard)


def test_where_the_vote_is_right_it_is_heard():
    questions = [asked(f"g{place}", "liver", "lung", "liver") for place in range(6)]
    assert fit_votes(questions, "rag").share > 0.4
    assert [one.answers["rag"] for one in settle_votes(questions)] == ["liver"] * 6


def test_where_the_reader_is_right_the_vote_is_not_heard():
    questions = [asked(f"g{place}", "lung", "lung", "liver") for place in range(6)]
    assert fit_votes(questions, "rag").share == 0.0
    assert [one.answers["rag"] for one in settle_votes(questions)] == ["lung"] * 6


def test_no_image_is_answered_with_what_was_fitted_on_it():
    odd = asked("odd", "liver", "lung", "liver")
    rest = [asked(f"g{place}", "lung", "lung", "liver") for place in range(9)]
    settled = settle_votes([odd, *rest], num_parts=10)
    assert settled[0].answers["rag"] == "lung", "alone it would have listened to the vote"
    assert {one.answers["rag"] for one in settled[1:]} == {"lung"}


def test_one_image_alone_is_answered_with_the_default():
    assert fit_votes([], "rag") == VoteSettings()
    settled = settle_votes([asked("g", "x", "lung", "liver"), asked("g", "y", "lung", "liver")])
    assert [one.answers["rag"] for one in settled] == ["liver", "liver"]


def test_questions_without_anything_heard_stay():
    plain = AnsweredQuestion("g", "Where?", "lung", False, {"copied": "lung"})
    assert settle_votes([plain]) == [plain]


def test_nothing_is_fitted_on_an_unknown_kind_of_question():
    closed = AnsweredQuestion(
        "g", "Is it?", "yes", True, {"rag": "?"}, heard={"rag": Heard({"yes": 1.0})}
    )
    assert fit_votes([closed], "rag").share == pytest.approx(0.0)
