"""The pointing game: peaks inside and outside, equal peaks, chance."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jomed_app.boxes import Box
from jomed_app.evaluation.metrics.pointing import peak_hit_rate, pointing_hit, pointing_scores

LEFT = Box(0, 0, 0.5, 1)


def test_a_peak_inside_any_box_hits() -> None:
    heat = np.zeros((4, 4))
    heat[3, 1] = 1
    assert pointing_hit(heat, [LEFT]) == 1
    assert pointing_hit(heat, [Box(0.5, 0, 1, 1)]) == 0
    assert pointing_hit(heat, [Box(0.5, 0, 1, 1), Box(0.3, 0.8, 0.4, 0.9)]) == 1
    assert pointing_hit(heat, []) == 0


def test_rows_are_y_and_columns_are_x() -> None:
    heat = np.zeros((2, 8))
    heat[1, 0] = 1  # center at x 1/16, y 3/4
    assert pointing_hit(heat, [Box(0, 0.7, 0.1, 0.8)]) == 1
    assert pointing_hit(heat, [Box(0.7, 0, 0.8, 0.1)]) == 0


def test_a_box_is_half_open() -> None:
    assert pointing_hit([[1.0]], [Box(0.5, 0.5, 1, 1)]) == 1
    assert pointing_hit([[1.0]], [Box(0, 0, 0.5, 0.5)]) == 0


def test_equal_peaks_count_by_their_share() -> None:
    assert pointing_hit([[2.0, 0.0, 2.0, 2.0]], [LEFT]) == pytest.approx(1 / 3)


def test_figures_by_hand() -> None:
    hit, miss = [[3.0, 1.0]], [[1.0, 3.0]]
    found = pointing_scores([hit, miss, hit], [[LEFT], [Box(0, 0, 0.5, 1)], []])
    assert (found.hit_rate, found.chance_rate, found.num_cases) == (0.5, 0.5, 2)
    empty = pointing_scores([hit], [[]])
    assert math.isnan(empty.hit_rate)
    assert empty.num_cases == 0


@given(st.integers(1, 9), st.integers(1, 9), st.floats(0, 0.8), st.floats(0, 0.8))
def test_a_flat_map_scores_as_chance_does(rows, columns, x0, y0) -> None:
    found = pointing_scores([np.ones((rows, columns))], [[Box(x0, y0, x0 + 0.2, y0 + 0.2)]])
    assert found.hit_rate == pytest.approx(found.chance_rate)


def test_errors_say_what_was_required() -> None:
    with pytest.raises(ValueError, match=r"must be \(rows, columns\), found \(3,\)"):
        pointing_hit([1, 2, 3], [])
    with pytest.raises(ValueError, match=r"must be \(rows, columns\), found \(0, 3\)"):
        pointing_hit(np.zeros((0, 3)), [])
    with pytest.raises(ValueError, match="must hold finite values"):
        pointing_hit([[math.nan]], [])
    with pytest.raises(ValueError, match="found 1 and 0"):
        pointing_scores([[[1.0]]], [])


def test_known_peaks_are_hits_inside_a_box():
    boxes = [(Box(0, 0, 10, 10),), (Box(0, 0, 5, 5), Box(20, 20, 30, 30)), ()]
    assert peak_hit_rate([(10.0, 5.0), (25.0, 20.0), (1.0, 1.0)], boxes) == 0.5
    assert math.isnan(peak_hit_rate([(1.0, 1.0)], [()]))
    with pytest.raises(ValueError, match="every case must have a peak and its boxes, found 1 and"):
        peak_hit_rate([(1.0, 1.0)], [])
