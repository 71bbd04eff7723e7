"""The answer in one glance: its warning first, then its name."""

from __future__ import annotations

from jomed_app.types import Standing
from jomed_app.ui.panels.diagnosis.agreement import Agreement
from jomed_app.ui.panels.diagnosis.answer import Answer
from jomed_app.ui.panels.diagnosis.final import Final
from jomed_app.ui.templates import render
from tests.ui.fake_values import LABELS
from tests.ui.hostile import assert_shown_as_text


def glance(result, **final) -> Answer:
    changed = result.final.model_copy(update=final)
    agreement = Agreement.of(result.consistency, changed, result.candidates)
    conclusion = Final.of(changed, LABELS, "40 images", stands_apart=agreement.stands_apart)
    return Answer.of(agreement, conclusion)


def test_the_warning_comes_before_the_name_and_its_probability(result):
    html = render(glance(result))
    value = f"{result.final.probabilities['malignant']:.2f}</span>"
    places = [html.index(each) for each in ("The readings disagree", ">malignant<", value, "of 10")]
    assert places == sorted(places)


def test_no_count_of_cases_where_the_answer_stands_apart(result):
    said = glance(result, prediction="normal")
    assert said.standing is Standing.OVERRULED
    assert said.title == "No reading gives the final answer"
    assert said.calibrated == ""
    assert "final-count" not in render(said)


def test_an_abstention_names_no_class(result):
    html = render(glance(result, prediction=None, abstained=True))
    assert "none given" in html
    assert "malignant" not in html


def test_hostile_words_are_shown_as_text():
    assert_shown_as_text(lambda words: Answer(Standing.MIXED, words, words, words, 0.5, words))
