"""How sure a box is: the default, weights by hand, storage."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from jomed_app.inference.calibration.box_score import (
    LEAST_PROBABILITY,
    BoxScore,
    box_logits,
    finding_probability,
)
from jomed_app.types import OperatingPoint

shares = st.floats(0, 1)


@given(st.floats(0.001, 0.999), shares, shares)
def test_the_default_is_the_probability_of_a_finding(finding, presence, dense):
    assert BoxScore().of(finding, presence, dense) == pytest.approx(finding)


def test_weights_by_hand():
    score = BoxScore(bias=math.log(2), finding=1.0, presence=2.0, dense=0.5)
    odds = 2 * 3 * (1 / 4) ** 2 * math.sqrt(4)  # of 3:1, 1:4 and 4:1
    assert score.of(0.75, 0.2, 0.8) == pytest.approx(odds / (1 + odds))


@given(shares, shares, shares, st.floats(-100, 100))
def test_a_score_is_a_probability_whatever_is_said(finding, presence, dense, bias):
    assert (
        0
        < BoxScore(bias=bias, finding=10.0, presence=10.0, dense=10.0).of(finding, presence, dense)
        <= 1
    )


def test_nothing_is_quite_sure():
    least, most = box_logits(0.0, 1.0)
    assert least == pytest.approx(-most)
    assert most == pytest.approx(math.log(1 / LEAST_PROBABILITY - 1))


def test_it_is_stored_with_its_table():
    points = (OperatingPoint(threshold=0.5, false_share=0.25, found_share=0.75),)
    score = BoxScore(bias=-1.0, finding=0.5, presence=0.25, dense=2.0, operating_points=points)
    assert BoxScore.model_validate_json(score.model_dump_json()) == score
    with pytest.raises(ValidationError, match="dense"):
        BoxScore.model_validate({"dense": "much"})


def test_what_the_answer_leaves_to_labels_with_a_finding_counts():
    probabilities = [0.3, 0.5, 0.2]
    assert finding_probability(probabilities, [0]) == pytest.approx(0.7)
    assert finding_probability(probabilities, [0, 1, 2]) == 0.0
    assert BoxScore().of_answer(probabilities, [0], 0.1, 0.2) == pytest.approx(0.7)
    alone = BoxScore(finding=0.0, presence=1.0)
    assert alone.of_answer(probabilities, [0], 0.1, 0.2) == pytest.approx(0.1)
