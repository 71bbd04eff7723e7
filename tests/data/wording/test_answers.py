"""Answer texts: labels, bins, descriptors, and what counts as complete."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jomed_app.boxes import Box
from jomed_app.data.tasks import load_task, task_from_dict
from jomed_app.data.wording.answers import (
    Reading,
    answer_text,
    bins_box,
    box_bins,
    box_text,
    report_sentence,
)

BOX = Box(0.0, 0.25, 0.5, 1.0)
FINDINGS = {
    "shape": "oval",
    "orientation": "parallel",
    "margin": "circumscribed",
    "echo": "anechoic",
    "posterior": "enhancement",
    "calcifications": "absent",
}


@pytest.fixture(scope="module")
def task():
    return load_task("breast")


def test_bins_by_hand():
    assert box_bins(BOX, 64) == (0, 16, 32, 63)  # the far edge falls into the last bin
    assert box_bins(Box(-1, -1, 2, 2), 8) == (0, 0, 7, 7)


@settings(max_examples=30, deadline=None)
@given(st.floats(0, 0.49), st.floats(0.51, 0.9999), st.integers(8, 128))
def test_bin_centers_are_within_half_a_bin(low, high, bins):
    places = box_bins(Box(low, low, high, high), bins)
    centers = [(place + 0.5) / bins for place in places]
    assert centers == pytest.approx([low, low, high, high], abs=0.5 / bins + 1e-9)


def test_bins_give_the_box_back_by_hand():
    assert bins_box((0, 16, 32, 63), 64).as_tuple() == pytest.approx(
        (0.5 / 64, 16.5 / 64, 32.5 / 64, 63.5 / 64)
    )
    # both edges in one bin: a third and two thirds through it
    assert bins_box((3, 0, 3, 1), 4).as_tuple() == pytest.approx(
        (3.3333333 / 4, 0.5 / 4, 3.6666667 / 4, 1.5 / 4)
    )


@pytest.mark.parametrize("bins", [(5, 0, 4, 1), (0, 5, 1, 4)])
def test_inverted_bins_are_no_box(bins):
    assert bins_box(bins, 8) is None


def test_a_box_in_tokens():
    assert box_text(BOX, 64) == "<loc_00><loc_16><loc_32><loc_63>"


def test_a_whole_answer(task):
    text, complete = answer_text(task, Reading("benign", BOX, FINDINGS), 64)
    assert text == (
        " benign<loc_00><loc_16><loc_32><loc_63>"
        " oval parallel circumscribed anechoic enhancement absent"
    )
    assert complete


def test_descriptors_stand_in_the_tasks_order(task):
    turned = dict(reversed(FINDINGS.items()))
    assert answer_text(task, Reading("benign", BOX, turned), 64) == (
        answer_text(task, Reading("benign", BOX, FINDINGS), 64)
    )


def test_a_normal_answer_is_its_label(task):
    assert answer_text(task, Reading("normal", BOX, FINDINGS), 64) == (" normal", True)


def test_without_a_box_nothing_follows_the_label(task):
    assert answer_text(task, Reading("benign", None, FINDINGS), 64) == (" benign", False)


def test_without_descriptors_the_answer_is_a_beginning(task):
    text, complete = answer_text(task, Reading("malignant", BOX), 64)
    assert text.endswith("<loc_63>")
    assert not complete


def test_an_answer_stops_at_the_first_unknown_descriptor(task):
    known = {name: value for name, value in FINDINGS.items() if name != "margin"}
    text, complete = answer_text(task, Reading("benign", BOX, known), 64)
    assert text.endswith("> oval parallel")
    assert not complete


def test_a_task_without_descriptors_ends_with_the_box():
    values = {"name": "t", "title": "T", "question": "?", "labels": ["a", "b"]}
    task = task_from_dict({**values, "positive_label": "a"})
    assert answer_text(task, Reading("a", BOX), 8) == (" a<loc_00><loc_02><loc_04><loc_07>", True)


def test_report(task):
    assert report_sentence(task, "benign", {"shape": "oval", "echo": "anechoic"}) == (
        "Lesion: shape oval, echo anechoic."
    )
    assert report_sentence(task, "normal", FINDINGS) == "No lesion described."
    assert report_sentence(task, "benign", {}) == ""


def test_a_task_without_boxes_names_none():
    values = {
        "name": "t",
        "title": "T",
        "question": "?",
        "labels": ["a", "b"],
        "positive_label": "b",
        "has_boxes": False,
    }
    assert answer_text(task_from_dict(values), Reading("b"), 8) == (" b", True)
    assert answer_text(task_from_dict(values), Reading("b", BOX), 8) == (" b", True)
    described = task_from_dict({**values, "descriptors": {"tone": ["dark", "light"]}})
    assert answer_text(described, Reading("b"), 8) == (" b", False)
    assert answer_text(described, Reading("b", None, {"tone": "dark"}), 8) == (" b dark", True)
