"""The answers of the image alone and of both searches, as the engine computed them."""

from __future__ import annotations

from jomed_app.types import FinalResult
from jomed_app.ui import text
from jomed_app.ui.panels.diagnosis.strip import Said, Strip
from jomed_app.ui.templates import render
from tests.ui.hostile import assert_shown_as_text

JOINT = FinalResult(
    prediction="malignant",
    probabilities={"benign": 0.3, "malignant": 0.7},
    image_head={"benign": 0.6, "malignant": 0.4},
    image_head_weight=0.8,
)
STANDARD = FinalResult(prediction="benign", probabilities={"benign": 0.55, "malignant": 0.45})


def test_each_answer_stands_with_its_own_label_and_probability():
    strip = Strip.of({"joint": JOINT, "standard": STANDARD}, "joint", has_two=True)
    assert [(each.name, each.label, each.probability, each.is_shown) for each in strip.answers] == [
        ("Image alone", "benign", 0.6, False),
        ("Standard RAG", "benign", 0.55, False),
        ("Jointly optimised", "malignant", 0.7, True),
    ]
    html = render(strip)
    assert html.count("data-answer=") == 1
    assert 'data-answer="standard" aria-label="Show the answer by Standard RAG"' in html
    assert text.IMAGE_ALONE_NOTE in html


def test_what_was_not_read_has_no_figure_and_is_read_on_demand():
    strip = Strip.of({"joint": JOINT}, "joint", has_two=True)
    unread = strip.answers[1]
    assert (unread.label, unread.is_read) == (None, False)
    html = render(strip)
    assert 'data-answer="standard" aria-label="Read by Standard RAG">Read</button>' in html
    assert "0.00" not in html


def test_an_abstention_names_nothing():
    abstained = STANDARD.model_copy(update={"abstained": True})
    said = Strip.of({"standard": abstained, "joint": JOINT}, "joint", has_two=True).answers[1]
    assert (said.label, said.is_read) == (None, True)
    assert "<b>none</b>" in render(Strip((said,)))


def test_one_search_without_a_classifier_has_nothing_to_stand_beside():
    assert Strip.of({"joint": STANDARD}, "joint", has_two=False) is None
    names = [each.name for each in Strip.of({"joint": JOINT}, "joint", has_two=False).answers]
    assert names == ["Image alone", "With similar cases"]


def test_hostile_words_are_shown_as_text():
    assert_shown_as_text(
        lambda words: Strip((Said(words, words, 0.5, words, is_shown=False, note=words),))
    )
