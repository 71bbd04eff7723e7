"""The form asks what the task says, and nothing of one kind of image."""

from __future__ import annotations

from jomed_app.data.tasks import load_task
from jomed_app.ui.panels.study.form import Form
from jomed_app.ui.panels.study.hidden import Hidden
from jomed_app.ui.templates import render


def test_breast_ultrasound_is_asked_in_bi_rads_with_its_descriptors():
    html = render(Form(load_task("breast"), may_skip=True))
    assert "<legend>BI-RADS</legend>" in html
    assert 'aria-label="BI-RADS 4B: moderate suspicion"' in html
    assert "Probability of malignant, %" in html
    assert "No lesion seen" in html
    assert html.count("data-finding=") == 6
    assert 'data-action="study-skip"' in html


def test_another_task_is_asked_by_suspicion_without_descriptors():
    html = render(Form(load_task("derma"), may_skip=False))
    assert "<legend>Suspicion</legend>" in html
    assert "Probability of melanoma, %" in html
    assert "data-finding" not in html
    assert "study-skip" not in html


def test_a_task_without_a_positive_label_asks_for_its_finding():
    task = load_task("breast").model_copy(update={"positive_label": ""})
    assert "Probability of a lesion, %" in render(Form(task, may_skip=False))


def test_what_stands_in_place_of_the_answer_tells_nothing():
    assert "after your own read" in render(Hidden())
