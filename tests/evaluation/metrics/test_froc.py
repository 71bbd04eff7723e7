"""Boxes with scores: matching, FROC, calibration and thresholds, by hand and by property."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jomed_app.boxes import Box
from jomed_app.evaluation.metrics.froc import (
    ScoredBoxes,
    froc_curve,
    froc_score,
    mark_true_boxes,
    operating_points,
)

LESION, OTHER = Box(0, 0, 10, 10), Box(20, 20, 30, 30)
scored = st.lists(st.tuples(st.floats(0, 1, width=16), st.booleans()), min_size=1, max_size=20).map(
    lambda pairs: tuple(map(list, zip(*pairs, strict=True)))
)


def test_the_surest_box_takes_the_lesion() -> None:
    better, worse, miss = LESION, Box(0, 0, 10, 6), Box(0, 0, 10, 4)
    marked = mark_true_boxes([[better, worse, miss], []], [[0.2, 0.9, 0.8], []], [[LESION], []])
    assert marked.scores.tolist() == [0.9, 0.8, 0.2]
    assert marked.is_true.tolist() == [True, False, False]
    assert (marked.num_lesions, marked.num_images) == (1, 2)


def test_every_lesion_is_found_once() -> None:
    between = Box(0, 0, 10, 10)
    marked = mark_true_boxes(
        [[between, OTHER, between]], [[0.9, 0.5, 0.7]], [[LESION, Box(0, 0, 10, 9), OTHER]]
    )
    assert marked.is_true.tolist() == [True, True, True]
    assert mark_true_boxes([[OTHER]], [[1.0]], [[LESION]]).is_true.tolist() == [False]


def test_the_bound_is_part_of_a_hit() -> None:
    half = Box(0, 0, 10, 5)
    assert mark_true_boxes([[half]], [[1.0]], [[LESION]]).is_true.tolist() == [True]
    assert mark_true_boxes([[half]], [[1.0]], [[LESION]], 0.51).is_true.tolist() == [False]


def test_froc_by_hand() -> None:
    boxes = ScoredBoxes(
        scores=np.array([0.9, 0.5, 0.5, 0.7, 0.1]),
        is_true=np.array([True, True, False, False, False]),
        num_lesions=4,
        num_images=2,
    )
    curve = froc_curve(boxes)
    assert curve.thresholds.tolist() == [math.inf, 0.9, 0.7, 0.5, 0.1]
    assert curve.sensitivity.tolist() == [0, 0.25, 0.25, 0.5, 0.5]
    assert curve.false_per_image.tolist() == [0, 0, 0.5, 1, 1.5]
    # rates 1/8, 1/4 and 1/2 reach 0.25; 1, 2 and 4 reach 0.5
    assert froc_score(curve) == pytest.approx(0.375)
    assert froc_score(curve, [0.0]) == 0.25


def test_froc_without_boxes_or_lesions() -> None:
    no_boxes = mark_true_boxes([[]], [[]], [[LESION]])
    assert froc_score(froc_curve(no_boxes)) == 0
    no_lesions = mark_true_boxes([[LESION]], [[0.5]], [[]])
    assert np.isnan(froc_curve(no_lesions).sensitivity).all()
    assert froc_curve(no_lesions).false_per_image.tolist() == [0, 1]
    assert math.isnan(froc_score(froc_curve(no_lesions)))
    with pytest.raises(ValueError, match="requires one rate or more"):
        froc_score(froc_curve(no_boxes), [])


@given(scored, st.integers(1, 5))
def test_a_froc_curve_only_rises(pair, num_images) -> None:
    scores, is_true = pair
    boxes = ScoredBoxes(
        np.array(scores), np.array(is_true, dtype=bool), max(1, sum(is_true)), num_images
    )
    curve = froc_curve(boxes)
    assert (np.diff(curve.thresholds) < 0).all()
    assert (np.diff(curve.sensitivity) >= 0).all()
    assert (np.diff(curve.false_per_image) >= 0).all()
    assert curve.sensitivity[-1] == (1 if any(is_true) else 0)
    assert curve.false_per_image[-1] == pytest.approx((len(scores) - sum(is_true)) / num_images)
    turned = ScoredBoxes(
        boxes.scores[::-1], boxes.is_true[::-1], boxes.num_lesions, boxes.num_images
    )
    np.testing.assert_array_equal(froc_curve(turned).sensitivity, curve.sensitivity)


def test_errors_say_what_was_required() -> None:
    with pytest.raises(ValueError, match="one or more images, found 1, 1 and 0"):
        mark_true_boxes([[]], [[]], [])
    with pytest.raises(ValueError, match="found 0, 0 and 0"):
        mark_true_boxes([], [], [])
    with pytest.raises(ValueError, match="found 1 boxes and 2 scores"):
        mark_true_boxes([[LESION]], [[0.1, 0.2]], [[LESION]])
    with pytest.raises(ValueError, match="scores must be finite"):
        mark_true_boxes([[LESION]], [[math.nan]], [[LESION]])
    with pytest.raises(ValueError, match=r"min_iou must lie in \(0, 1\], found 0"):
        mark_true_boxes([[LESION]], [[0.1]], [[LESION]], 0)


def test_operating_points_by_hand():
    boxes = ScoredBoxes(
        np.array([0.9, 0.6, 0.4]), np.array([True, False, True]), num_lesions=4, num_images=5
    )
    low, high = operating_points(boxes, (0.5, 0.7, 0.95))
    assert (low.threshold, low.false_share, low.found_share) == (0.5, 0.5, 0.25)
    assert (high.threshold, high.false_share, high.found_share) == (0.7, 0.0, 0.25)
    assert operating_points(dataclasses.replace(boxes, num_lesions=0)) == ()
