"""Stepwise responses by hand: the steps, the order of boxes, what is not known."""

from __future__ import annotations

import pytest

from jomed_app.boxes import Box
from jomed_app.data.tasks import load_task
from jomed_app.data.wording.diagnostic_response import diagnostic_query, diagnostic_response

SMALL, LARGE = Box(0.5, 0.5, 0.6, 0.6), Box(0.0, 0.25, 0.5, 1.0)


@pytest.fixture(scope="module")
def task():
    return load_task("breast")


def test_one_box_by_hand(task):
    descriptors = {"margin": "indistinct", "shape": "oval"}
    assert diagnostic_response(task, "benign", [LARGE], descriptors, 64) == (
        "Detect: 1 lesion. Locate: <loc_00><loc_16><loc_32><loc_63>. "
        "Recognize: shape oval, margin indistinct. Conclude: benign."
    )


def test_the_largest_box_is_said_first(task):
    text = diagnostic_response(task, "malignant", [SMALL, LARGE], None, 10)
    assert text == (
        "Detect: 2 lesions. Locate: <loc_00><loc_02><loc_05><loc_09>; "
        "<loc_05><loc_05><loc_06><loc_06>. Recognize: not described. Conclude: malignant."
    )
    assert text == diagnostic_response(task, "malignant", [LARGE, SMALL], {}, 10)


def test_a_label_without_a_finding_has_no_box(task):
    text = "Detect: no lesion. Locate: nowhere. Recognize: nothing. Conclude: normal."
    assert diagnostic_response(task, "normal", [], None, 64) == text
    assert diagnostic_response(task, "normal", [LARGE], {"shape": "oval"}, 64) == text


def test_the_query_asks_for_the_steps_and_ends_with_the_question(task):
    assert diagnostic_query(task) == (
        "Detect, locate and recognize any lesion, then conclude. What is the diagnosis?"
    )


def test_what_is_not_the_tasks_is_refused(task):
    with pytest.raises(ValueError, match=r"among \['normal', .* found 'cyst'"):
        diagnostic_response(task, "cyst", [LARGE], None, 64)
    with pytest.raises(ValueError, match="concludes 'benign' must have one box or more"):
        diagnostic_response(task, "benign", [], None, 64)
    with pytest.raises(ValueError, match="found shape 'square'; add it to the task"):
        diagnostic_response(task, "benign", [LARGE], {"shape": "square"}, 64)
    with pytest.raises(ValueError, match="found color 'red'"):
        diagnostic_response(task, "benign", [LARGE], {"color": "red"}, 64)
