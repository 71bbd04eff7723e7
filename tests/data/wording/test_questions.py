"""Tables of questions: grouped by image; answers in the words that are taught."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jomed_app.data.wording.questions import group_questions, taught_answer


def test_questions_are_grouped_in_order_and_need_an_answer():
    rows = pd.DataFrame(
        [
            ("a.jpg", " What  plane? ", "Axial", "OPEN"),
            ("b.jpg", "Is it CT?", "Yes", "CLOSED "),
            ("a.jpg", "Is it MR?", " ", "CLOSED"),
            ("a.jpg", "How many?", 2, "open"),
        ],
        columns=["image", "question", "answer", "answer_type"],
    )
    found = group_questions(rows)
    assert [(one.question, one.answer, one.is_closed) for one in found["a.jpg"]] == [
        ("What plane?", "Axial", False),
        ("How many?", "2", False),
    ]
    assert found["b.jpg"][0].is_closed


@pytest.mark.parametrize(
    ("answer", "taught"),
    [
        ("Yes", "yes"),
        ("Left Lung.", "left lung"),
        ("CT", "CT"),
        ("X-Ray", "x-ray"),
        ("T2 weighted MRI", "T2 weighted MRI"),
        ("A", "a"),
    ],
)
def test_answers_are_taught_in_lower_case_but_for_names(answer, taught):
    assert taught_answer(answer) == taught


@given(st.text(st.characters(codec="ascii"), max_size=30))
def test_teaching_twice_changes_nothing_more(answer):
    once = taught_answer(answer).rstrip(".")
    assert taught_answer(once).casefold() == once.casefold().strip()
