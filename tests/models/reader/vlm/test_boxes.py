"""Boxes written as each family writes them, read back; what is unreadable is not "no box"."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jomed_app.boxes import Box
from jomed_app.models.reader.vlm.boxes import parse_boxes, write_box

SIZE = (480, 640)  # height, width: not a square
KINDS = ("qwen2", "pixels", "thousand", "gemini", "loc")


def as_written(box, kind):
    """A box of the unit square as a family writes it."""
    height, width = SIZE
    x0, y0, x1, y1 = box.as_tuple()
    if kind == "loc":
        return "".join(f"<loc{min(1023, round(edge * 1024)):04d}>" for edge in (y0, x0, y1, x1))
    if kind == "pixels":
        edges = [round(x0 * width), round(y0 * height), round(x1 * width), round(y1 * height)]
        return f'[{{"bbox_2d": {edges}, "label": "lesion"}}]'
    x0, y0, x1, y1 = (round(edge * 1000) for edge in (x0, y0, x1, y1))
    if kind == "qwen2":
        return f"<|box_start|>({x0},{y0}),({x1},{y1})<|box_end|>"
    if kind == "gemini":
        return f'[{{"box_2d": {[y0, x0, y1, x1]}, "label": "lesion"}}]'
    return f"lesion[[{x0}, {y0}, {x1}, {y1}]]"


edges = st.floats(0.0, 0.9), st.floats(0.0, 0.9), st.floats(0.05, 1.0), st.floats(0.05, 1.0)


@pytest.mark.parametrize("kind", KINDS)
@given(place=st.tuples(*edges))
def test_a_box_comes_back(kind, place):
    x0, y0, width, height = place
    box = Box(x0, y0, min(1.0, x0 + width), min(1.0, y0 + height))
    (found,) = parse_boxes(as_written(box, kind), kind, SIZE)
    for mine, theirs in zip(found.as_tuple(), box.as_tuple(), strict=True):
        assert mine == pytest.approx(theirs, abs=1.2 / min(SIZE)), "a pixel"


@pytest.mark.parametrize("kind", KINDS)
def test_two_boxes_come_back(kind):
    boxes = [Box(0.1, 0.2, 0.3, 0.4), Box(0.5, 0.5, 0.75, 1.0)]
    found = parse_boxes(" ".join(as_written(box, kind) for box in boxes), kind, SIZE)
    assert len(found) == 2


@pytest.mark.parametrize("text", ["[]", "```json\n[]\n```", "No lesion.", "There is no lesion"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_box_is_said(kind, text):
    assert parse_boxes(text, kind, SIZE) == []


@pytest.mark.parametrize("text", ["", "a mass", "[1, 2, 3]", "(5,5),(5,5)", "<loc0005>" * 4])
@pytest.mark.parametrize("kind", KINDS)
def test_what_cannot_be_read_is_not_no_box(kind, text):
    assert parse_boxes(text, kind, SIZE) is None


def test_y_comes_first_where_a_family_writes_so():
    (box,) = parse_boxes("[100, 200, 300, 400]", "gemini", SIZE)
    assert box.as_tuple() == (0.2, 0.1, 0.4, 0.3)


def test_values_beyond_the_image_are_cut():
    (box,) = parse_boxes("[-5, 100, 1200, 400]", "thousand", SIZE)
    assert box.as_tuple() == (0.0, 0.1, 1.0, 0.4)


def test_pixels_are_of_the_image_as_the_model_saw_it():
    (box,) = parse_boxes("[64, 48, 320, 240]", "pixels", SIZE)
    assert box.as_tuple() == (0.1, 0.1, 0.5, 0.5)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("qwen2", "<|box_start|>(250,100),(500,750)<|box_end|>"),
        ("pixels", '[{"bbox_2d": [160, 48, 320, 360]}]'),
        ("thousand", '[{"bbox_2d": [250, 100, 500, 750]}]'),
        ("gemini", '[{"box_2d": [100, 250, 750, 500]}]'),
        ("loc", "<loc0102><loc0256><loc0768><loc0512>"),
    ],
)
def test_a_box_is_written_for_a_model_to_learn(kind, text):
    assert write_box(Box(0.25, 0.1, 0.5, 0.75), kind, SIZE) == text
    (found,) = parse_boxes(text, kind, SIZE)
    assert found.as_tuple() == pytest.approx((0.25, 0.1, 0.5, 0.75), abs=0.001)
    (whole,) = parse_boxes(write_box(Box(0.0, 0.0, 1.0, 1.0), kind, SIZE), kind, SIZE)
    assert whole.as_tuple() == pytest.approx((0, 0, 1, 1), abs=0.001)
    assert parse_boxes(write_box(None, kind, SIZE), kind, SIZE) == []
