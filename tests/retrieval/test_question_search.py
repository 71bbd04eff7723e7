"""Known cases that were asked alike: hand values of likeness, ranking, and what is shown."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jomed_app.data.records import AskedQuestion, CaseRecord
from jomed_app.retrieval.question_search import ANSWERS_SHOWN, QUESTION_WEIGHT, QuestionSearch

ASKED = (
    (("Which organ is this?", "Liver"), ("Is there a mass?", "No")),
    (("Which plane is this?", "Axial"),),
    (),
    (("Is there a mass?", "Yes"), ("Where is the mass?", "Left Lung.")),
)


def record(row, asked):
    return CaseRecord(
        case_id=f"c{row}", image="i", label="CT", passage="", split="train", rows=1, columns=1,
        questions=[AskedQuestion(question=question, answer=answer) for question, answer in asked],
    )  # fmt: skip


@pytest.fixture(scope="module")
def search():
    return QuestionSearch([record(row, asked) for row, asked in enumerate(ASKED)])


def test_the_same_question_is_wholly_alike_and_no_question_not_at_all(search):
    alike = search.likeness("is there a mass")
    np.testing.assert_allclose(alike[[0, 3]], 1.0)
    assert alike[2] == 0.0
    assert 0 < alike[1] < 1, "'is' stands in both"


def test_likeness_is_that_of_the_best_question(search):
    assert search.likeness("Where is the mass?")[3] == pytest.approx(1.0)
    assert search.likeness("Where is the mass?")[3] > search.likeness("Where is the mass?")[0]


@given(st.text(max_size=30))
def test_likeness_stays_between_none_and_the_same(search, question):
    alike = search.likeness(question)
    assert alike.shape == (len(ASKED),)
    assert ((alike >= 0) & (alike <= 1 + 1e-9)).all()


def test_scores_join_image_and_question(search):
    images = np.array([0.1, 0.2, 0.9, 0.3], dtype=np.float32)
    scores = search.scores("Is there a mass?", images)
    np.testing.assert_allclose(
        scores, images + QUESTION_WEIGHT * search.likeness("Is there a mass?"), rtol=1e-6
    )
    assert scores.argmax() == 3, "alike in both comes first"
    rows = np.array([2, 0])
    np.testing.assert_allclose(
        search.scores("Is there a mass?", images[rows], rows), scores[rows], rtol=1e-6
    )


def test_a_passage_tells_the_answers_to_questions_alike_best_first(search):
    said = search.passage(3, "Where is the mass?")
    assert said == "Where is the mass? left lung. Is there a mass? yes."
    assert search.passage(3, "Is there a mass?").startswith("Is there a mass? yes.")
    assert search.passage(2, "Is there a mass?") == ""
    many = QuestionSearch([record(0, [(f"Is there organ {n}?", "no") for n in range(9)])])
    assert many.passage(0, "Is there organ 4?").count("?") == ANSWERS_SHOWN


def test_the_copied_answer_is_that_of_the_question_most_alike(search):
    assert search.answer(0, "Is there any mass?") == "no"
    assert search.answer(0, "Which organ?") == "liver"
    assert search.answer(2, "Which organ?") == ""


def test_cases_without_any_question_are_like_nothing():
    search = QuestionSearch([record(0, ()), record(1, ())])
    assert search.likeness("Which organ?").tolist() == [0.0, 0.0]
    assert search.passage(1, "Which organ?") == ""
    assert QuestionSearch([]).likeness("Which organ?").shape == (0,)


def test_every_known_question_votes_for_itself(search):
    images = np.array([0.1, 0.2, 0.9, 0.3], dtype=np.float32)
    found = search.voters("Is there a mass?", images)
    assert [each.answer for each in found[:2]] == ["yes", "no"]
    assert found[0].score == pytest.approx(QUESTION_WEIGHT + 0.3)
    assert len(found) == 5, "no more than there are"
    scores = [each.score for each in found]
    assert scores == sorted(scores, reverse=True)


def test_only_chosen_cases_vote(search):
    found = search.voters("Is there a mass?", np.array([0.1]), np.array([0]))
    assert {each.answer for each in found} == {"liver", "no"}
