"""The bar of the steps: what was said stands in it, and what came of it once it is done."""

from __future__ import annotations

import pytest

from jomed_app.data.tasks import load_task
from jomed_app.ui.panels.study.bar import Bar
from jomed_app.ui.study.own_read import OwnRead
from jomed_app.ui.study.study import Study
from jomed_app.ui.templates import render

TASK = load_task("breast")


def bar(*categories: str, known: str = "", skip: bool = True) -> str:
    study = Study()
    for category in categories:
        study.say(OwnRead(category, 40, "low", {}))
    return render(Bar.of(study, TASK, skip, known))


def test_it_opens_with_what_was_said_last():
    html = bar("4B")
    assert "<b>2 of 5</b>" in html
    assert '<option value="4B" selected' in html
    assert 'value="40"' in html
    assert "<option selected>low" in html
    assert "Show your image, read beside each" in html
    assert "study-skip" in html
    assert "study-skip" not in bar("4B", skip=False)
    assert "study-skip" not in bar("4B", "4B", "4B", "4B"), "all is shown"


@pytest.mark.parametrize(
    ("reads", "known", "said"),
    [
        (("4A",) * 5, "malignant", "4A, 40 %, unchanged. Drawn as malignant: right."),
        (("4A",) * 4 + ("2",), "malignant", "&rarr; 2, 40 %. Drawn as malignant: wrong, after"),
        (("4A",) * 4 + ("4C",), "benign", "&rarr; 4C, 40 %. Drawn as benign: wrong."),
        (("3",) * 5, "normal", "Drawn as normal: right."),
        (("3",) * 5, "", "3, 40 %, unchanged.</p>"),
    ],
)
def test_at_the_end_it_says_what_became_of_the_first_read(reads, known, said):
    assert said in bar(*reads, known=known)
