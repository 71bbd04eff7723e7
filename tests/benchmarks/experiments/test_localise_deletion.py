"""The deletion test: figures by hand, equal boxes elsewhere, what is painted over."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.experiments.localise.deletion import (
    deletion_scores,
    equal_box_elsewhere,
    paint_over,
)
from jomed_app.boxes import Box, iou


def test_figures_by_hand() -> None:
    found = deletion_scores([0.9, 0.8, 0.6], [0.3, 0.8, 0.7], [0.8, 0.8, 0.5])
    assert found.mean_drop == pytest.approx((0.6 + 0 - 0.1) / 3)
    assert found.mean_drop_elsewhere == pytest.approx((0.1 + 0 + 0.1) / 3)
    assert found.mean_difference == pytest.approx((0.5 + 0 - 0.2) / 3)
    assert found.share_larger == pytest.approx(0.5)  # one larger, one tie, one smaller
    assert found.num_cases == 3


def test_without_cases_figures_are_nan() -> None:
    found = deletion_scores([], [], [])
    assert math.isnan(found.mean_drop)
    assert math.isnan(found.share_larger)
    assert found.num_cases == 0


probabilities = st.lists(st.tuples(*[st.floats(0, 1)] * 3), min_size=1, max_size=9)


@given(probabilities)
def test_swapping_the_boxes_turns_the_figures_round(rows) -> None:
    before, without, elsewhere = zip(*rows, strict=True)
    found = deletion_scores(before, without, elsewhere)
    turned = deletion_scores(before, elsewhere, without)
    assert found.mean_difference == pytest.approx(found.mean_drop - found.mean_drop_elsewhere)
    assert turned.mean_difference == pytest.approx(-found.mean_difference)
    assert turned.share_larger == pytest.approx(1 - found.share_larger)


def test_errors_say_what_was_required() -> None:
    with pytest.raises(ValueError, match=r"three probabilities, found \(1,\), \(1,\), \(2,\)"):
        deletion_scores([0.1], [0.1], [0.1, 0.2])
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\]"):
        deletion_scores([0.1], [1.1], [0.1])


@settings(max_examples=50)
@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 40), st.integers(0, 99))
def test_the_box_elsewhere_is_equal_free_and_inside(x0, y0, size, seed) -> None:
    box, lesion = Box(x0, y0, x0 + size, y0 + size), Box(80, 80, 100, 100)
    drawn = equal_box_elsewhere(box, [lesion], 100, 100, np.random.default_rng(seed))
    if drawn is None:
        assert size > 15  # small boxes always find a place
        return
    assert (drawn.width, drawn.height) == pytest.approx((size, size))
    assert drawn.clipped(100, 100).as_tuple() == pytest.approx(drawn.as_tuple())
    assert iou(drawn, box) == iou(drawn, lesion) == 0


def test_a_box_that_fills_the_image_has_no_other_place() -> None:
    rng = np.random.default_rng(0)
    assert equal_box_elsewhere(Box(0, 0, 9, 9), [], 10, 10, rng) is None


def test_only_the_box_is_painted_over() -> None:
    image = np.full((20, 20, 3), 50, dtype=np.uint8)
    image[5:10, 8:12] = 250
    painted = paint_over(image, Box(8, 5, 11.5, 10))
    assert (painted == 50).all()
    assert (image[5:10, 8:12] == 250).all()
    partly = paint_over(image, Box(8, 5, 12, 8))
    assert (partly[8:10, 8:12] == 250).all()
    assert (partly[:5] == 50).all()


def test_a_box_over_the_border_is_cut() -> None:
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    painted = paint_over(image, Box(-3, -3, 2, 2))
    changed = (painted != image).any(axis=2)
    assert changed[:2, :2].any()
    assert not changed[2:].any()
    assert not changed[:, 2:].any()
    np.testing.assert_array_equal(paint_over(image, Box(-1, -1, 9, 9)), image)
