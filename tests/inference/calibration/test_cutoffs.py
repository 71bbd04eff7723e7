"""Operating points: hand values."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from jomed_app.inference.calibration.cutoffs import TARGETS, Cutoff, fit_cutoffs
from jomed_app.inference.calibration.probabilities import Calibration


def test_the_strictest_threshold_that_finds_so_many():
    """40 positives at 0.21 to 0.60, 50 negatives at 0.01 to 0.50.

    To find 95 of 100 it must find 38, the 38th highest is 0.23; 22 negatives lie below it.
    """
    positive = [(21 + place) / 100 for place in range(40)]
    negative = [(1 + place) / 100 for place in range(50)]
    points = fit_cutoffs(positive + negative, [True] * 40 + [False] * 50)
    assert [each.target for each in points] == list(TARGETS)
    point = points[TARGETS.index(95)]
    assert point == Cutoff(
        target=95, threshold=0.23, found=38, positives=40, cleared=22, negatives=50
    )
    assert (point.missed, point.below) == (2, 24)
    assert point.miss_interval == pytest.approx((0.0232, 0.2585), abs=1e-4)  # Wilson, 2 of 24
    assert points[0].threshold == 0.29  # 80 of 100: the 32nd highest


def test_equal_probabilities_fall_on_one_side_together():
    points = fit_cutoffs([0.5] * 30 + [0.5] * 20 + [0.1] * 10, [True] * 30 + [False] * 30)
    assert {(each.found, each.cleared) for each in points} == {(30, 10)}


@pytest.mark.parametrize(("positives", "negatives"), [(29, 300), (300, 29)])
def test_few_cases_show_no_point(positives, negatives):
    truth = [True] * positives + [False] * negatives
    assert fit_cutoffs([0.5] * len(truth), truth) == ()


def test_a_probability_without_a_truth_is_refused():
    with pytest.raises(ValueError, match="every case needs a probability and a truth"):
        fit_cutoffs([0.1, 0.2], [True])


def test_more_cases_than_there_are_is_refused():
    with pytest.raises(ValidationError, match="counts no more cases than there are"):
        Cutoff(target=80, threshold=0.5, found=3, positives=2, cleared=0, negatives=2)


def test_a_calibration_without_points_is_stored_as_before():
    assert "cutoffs" not in Calibration().model_dump(mode="json")
