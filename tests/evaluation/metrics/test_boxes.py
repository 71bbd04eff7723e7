"""Boxes against lesions: optimal matching, shares, normal cases, unreadable answers."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jomed_app.boxes import Box, iou
from jomed_app.evaluation.metrics.boxes import accuracy_by_iou, lesion_ious, localization_scores

corners = st.tuples(st.integers(0, 8), st.integers(0, 8), st.integers(1, 6), st.integers(1, 6))
boxes = st.lists(corners.map(lambda c: Box(c[0], c[1], c[0] + c[2], c[1] + c[3])), max_size=4)


def test_matching_is_optimal_where_greedy_is_not() -> None:
    wide, left = Box(0, 0, 10, 10), Box(0, 0, 6, 10)
    predicted = [Box(0, 0, 7, 10), Box(2, 0, 14, 10)]
    greedy_pair = iou(predicted[0], left)
    found = lesion_ious(predicted, [wide, left])
    assert found[1] == pytest.approx(greedy_pair)
    assert found[0] == pytest.approx(8 / 14)


@given(boxes, boxes.filter(bool))
@settings(max_examples=40, deadline=None)
def test_total_equals_brute_force(predicted, reference) -> None:
    slots = [*predicted, *[None] * len(reference)]
    best = max(
        sum(iou(box, true) for box, true in zip(choice, reference, strict=True) if box)
        for choice in itertools.permutations(slots, len(reference))
    )
    assert lesion_ious(predicted, reference).sum() == pytest.approx(best)


def test_scores_by_hand() -> None:
    lesion = Box(0, 0, 10, 10)
    scores = localization_scores(
        [[Box(0, 0, 10, 4)], [lesion], None, [], [lesion, lesion]],
        [[lesion], [lesion], [lesion], [], []],
    )
    assert scores.mean_iou == pytest.approx((0.4 + 1 + 0) / 3)
    assert (scores.iou30, scores.iou50) == pytest.approx((2 / 3, 1 / 3))
    assert scores.false_boxes_per_normal == 1
    assert scores.parse_rate == 0.8
    assert (scores.num_lesions, scores.num_normal) == (3, 2)


def test_one_box_counts_for_one_lesion_only() -> None:
    lesion = Box(0, 0, 10, 10)
    np.testing.assert_allclose(sorted(lesion_ious([lesion], [lesion, lesion])), [0, 1])


def test_undefined_figures_are_nan() -> None:
    only_normal = localization_scores([[]], [[]])
    assert math.isnan(only_normal.mean_iou)
    assert only_normal.false_boxes_per_normal == 0
    assert math.isnan(localization_scores([[]], [[Box(0, 0, 1, 1)]]).false_boxes_per_normal)


def test_errors_say_what_was_required() -> None:
    with pytest.raises(ValueError, match="found 1 predicted and 0 true"):
        localization_scores([[]], [])
    with pytest.raises(ValueError, match="one or more cases"):
        localization_scores([], [])


def test_accuracy_by_iou_by_hand() -> None:
    bins = accuracy_by_iou([0.0, 0.1, 0.2, 0.59, 0.6, 1.0], [0, 1, 1, 0, 1, 1])
    assert [each.num_cases for each in bins] == [2, 1, 1, 1, 1]
    assert [each.accuracy for each in bins] == [0.5, 1, 0, 1, 1]
    assert [(each.low, each.high) for each in bins] == [
        (0, 0.2), (0.2, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 1)
    ]  # fmt: skip


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1), st.integers(1, 9))
def test_bins_add_up_to_the_accuracy(cases, num_bins) -> None:
    ious, is_correct = zip(*cases, strict=True)
    bins = accuracy_by_iou(ious, is_correct, num_bins)
    assert sum(each.num_cases for each in bins) == len(cases)
    right = sum(each.num_cases * each.accuracy for each in bins if each.num_cases)
    assert right == pytest.approx(sum(is_correct))
    for each in bins:
        assert math.isnan(each.accuracy) == (each.num_cases == 0)


def test_errors_of_accuracy_by_iou() -> None:
    with pytest.raises(ValueError, match=r"IoU and a truth value, found \(2,\) and \(1,\)"):
        accuracy_by_iou([0.1, 0.2], [True])
    with pytest.raises(ValueError, match=r"IoU must lie in \[0, 1\]"):
        accuracy_by_iou([math.nan], [True])
    with pytest.raises(ValueError, match="num_bins must be >= 1, found 0"):
        accuracy_by_iou([0.1], [True], 0)
