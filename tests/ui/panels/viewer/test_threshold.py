"""What a box threshold means, in words: counts, edges, and no claim where nothing was measured."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jomed_app.types import OperatingPoint
from jomed_app.ui import text
from jomed_app.ui.panels.viewer import threshold as sentences
from tests.ui.fake_values import POINTS

HALF_STEP = 0.005  # of the slider


def words_at(steps: list[dict], threshold: float) -> str:
    """The sentence of a threshold, as viewer.js chooses it."""
    below = [step for step in steps if step["from"] <= threshold + HALF_STEP]
    step = below[-1] if below else steps[0]
    return step["at" if abs(step["from"] - threshold) <= HALF_STEP else "above"]


def said(threshold: float, points=POINTS, measured_on="40 fake images") -> str:
    return words_at(sentences.threshold_steps(points, measured_on), threshold)


def point(threshold: float, false_share: float, found_share: float) -> OperatingPoint:
    return OperatingPoint(threshold=threshold, false_share=false_share, found_share=found_share)


def test_a_measured_threshold_speaks_for_itself():
    assert said(0.5) == (
        "At this threshold about 1 in 7 drawn boxes is false and 8 of 10 lesions are found, "
        "on validation cases: 40 fake images."
    )


def test_between_two_thresholds_the_lower_one_is_named():
    assert said(0.79).startswith("At 0.50, the nearest lower threshold that was measured, about 1")
    assert said(0.51).startswith("At 0.50,")
    assert said(1.0).startswith("At 0.80,")


def test_below_the_lowest_nothing_is_claimed():
    assert said(0.0) == said(0.19) == "Below 0.20 nothing was measured."
    assert said(0.2).startswith("At this threshold about 4 of 10 drawn boxes are false")


def test_without_points_nothing_is_claimed():
    steps = sentences.threshold_steps((), "40 fake images")
    assert [step["from"] for step in steps] == [0.0]
    for threshold in (0.0, 0.5, 1.0):
        assert words_at(steps, threshold) == text.THRESHOLD_UNKNOWN
    assert not re.search(r"\d", text.THRESHOLD_UNKNOWN)


def test_values_that_are_not_numbers_claim_nothing():
    points = (point(0.5, float("nan"), 0.8), point(0.6, 0.2, float("inf")))
    assert said(0.7, points) == text.THRESHOLD_UNKNOWN


def test_where_no_box_is_drawn_no_share_is_given():
    words = said(0.9, (point(0.9, 0.0, 0.0),))
    assert words == (
        "At this threshold hardly any box is drawn, on validation cases: 40 fake images."
    )


def test_a_point_at_zero_covers_the_whole_slider():
    steps = sentences.threshold_steps((point(0.0, 0.5, 1.0),), "")
    assert [step["from"] for step in steps] == [0.0]
    assert words_at(steps, 0.0) == (
        "At this threshold about 5 of 10 drawn boxes are false and nearly all lesions are found, "
        "on validation cases."
    )


def test_points_may_come_in_any_order():
    assert sentences.threshold_steps(POINTS[::-1], "x") == sentences.threshold_steps(POINTS, "x")


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.0, "fewer than 1 in 100 drawn boxes is false"),
        (0.009, "fewer than 1 in 100 drawn boxes is false"),
        (0.01, "about 1 in 100 drawn boxes is false"),
        (0.1, "about 1 in 10 drawn boxes is false"),
        (1 / 3, "about 1 in 3 drawn boxes is false"),
        (0.42, "about 4 of 10 drawn boxes are false"),
        (1.0, "nearly all drawn boxes are false"),
    ],
)
def test_false_words(share, words):
    assert sentences.false_words(share) == words


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.0, "fewer than 1 of 10 lesions is found"),
        (0.1, "1 of 10 lesions is found"),
        (0.81, "8 of 10 lesions are found"),
        (1.0, "nearly all lesions are found"),
    ],
)
def test_found_words(share, words):
    assert sentences.found_words(share) == words


@given(st.floats(0, 1))
def test_false_words_stay_near_the_share(share):
    words = sentences.false_words(share)
    if match := re.fullmatch(r"about 1 in (\d+) .*", words):
        assert 1 / int(match[1]) == pytest.approx(share, rel=0.25)
    elif match := re.fullmatch(r"about (\d) of 10 .*", words):
        assert int(match[1]) / 10 == pytest.approx(share, abs=0.051)
    else:
        assert share < 0.01 or share > 0.949


@given(st.lists(st.floats(0, 1), max_size=6), st.floats(0, 1))
def test_every_threshold_has_a_sentence_and_never_that_of_a_higher_one(thresholds, threshold):
    points = [point(each, 0.2, 0.7) for each in thresholds]
    threshold = round(threshold, 2)
    words = said(threshold, points)
    assert words
    if named := re.match(r"At (\d\.\d\d), ", words):
        assert float(named[1]) <= threshold + HALF_STEP + 0.005  # of the printed figure
