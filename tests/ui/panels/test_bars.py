"""Probabilities as bars, in the task's order."""

from __future__ import annotations

from jomed_app.ui.panels.bars import Bars
from jomed_app.ui.templates import render
from tests.ui.hostile import assert_shown_as_text


def test_the_tasks_order_comes_first_and_no_class_is_lost():
    bars = Bars.of({"other": 0.1, "malignant": 0.6, "benign": 0.3}, ("benign", "malignant"), None)
    assert [bar.name for bar in bars.bars] == ["benign", "malignant", "other"]
    assert not any(bar.is_chosen for bar in bars.bars)


def test_the_chosen_class_is_marked():
    html = render(Bars.of({"benign": 0.251, "malignant": 0.749}, (), "malignant"))
    assert html.count("is-chosen") == 1
    assert html.index("benign") < html.index("is-chosen") < html.index("malignant")
    assert 'style="width:74.9%"' in html
    assert '<span class="bar-value">0.75</span>' in html


def test_hostile_classes_are_shown_as_text():
    assert_shown_as_text(lambda words: Bars.of({words: 1.0}, (), words))
