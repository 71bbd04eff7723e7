"""The form asks about what is on the page."""

from __future__ import annotations

from jomed_app.ui.panels.feedback.form import Form
from jomed_app.ui.templates import render


def test_every_case_and_every_box_that_is_drawn_is_asked_about(result):
    html = render(Form(result, ("normal", "benign"), 0.5))
    assert html.count('name="similar-') == 8
    assert html.count('name="place-') == 2
    assert "malignant 0.81" in html
    assert "<option>benign</option>" in html
    assert "no names" in html
    assert html.count('name="place-') < render(Form(result, (), 0.1)).count('name="place-')


def test_without_boxes_and_cases_it_asks_about_the_answer_alone(result):
    alone = result.model_copy(update={"boxes": (), "candidates": ()})
    html = render(Form(alone, (), 0.5))
    assert "Right place?" not in html
    assert "Similar for" not in html
    assert "judge-verdict" in html
