"""How sure a box is, fitted: a known law is found again, the threshold keeps to its rate."""

from __future__ import annotations

import numpy as np
import pytest

from jomed_app.evaluation.fit.boxes import fit_box_score, threshold_for_normals, with_box_score
from jomed_app.evaluation.fit.settings import fit_settings
from jomed_app.inference.calibration.box_score import BoxScore
from tests.evaluation.folds.drawn_readings import BOX, draw_readings


def test_a_known_law_is_found_again():
    rng = np.random.default_rng(0)
    parts = rng.uniform(0.02, 0.98, (4000, 3))
    law = BoxScore(bias=-0.5, finding=0.8, presence=0.6)
    is_true = rng.random(4000) < [law.of(*row) for row in parts]
    found = fit_box_score(parts, is_true)
    for name in ("bias", "finding", "presence", "dense"):
        assert getattr(found, name) == pytest.approx(getattr(law, name), abs=0.12), name


def test_a_surer_part_never_makes_a_box_less_sure():
    parts = np.array([[0.9, 0.1, 0.5], [0.1, 0.9, 0.5]] * 10)
    found = fit_box_score(parts, [True, False] * 10)
    assert found.presence == 0.0
    assert found.finding > 0


def test_boxes_that_are_all_false_have_a_low_score():
    found = fit_box_score(np.full((20, 3), 0.5), np.zeros(20, dtype=bool))
    assert 0 < found.of(0.5, 0.5, 0.5) < 0.2


def test_parts_and_truth_must_fit():
    with pytest.raises(ValueError, match="one or more boxes must have three parts and a truth"):
        fit_box_score(np.zeros((2, 2)), [True, False])
    with pytest.raises(ValueError, match="one or more boxes must have three parts and a truth"):
        fit_box_score(np.zeros((0, 3)), [])


def test_the_threshold_is_the_lowest_that_keeps_to_the_rate():
    """Of 3 normal images, at a rate of a half: none gets a box in 1/8, at most one in 1/2."""
    scores, is_normal = [0.1, 0.2, 0.3, 0.4, 0.9], [True, True, False, True, False]
    assert threshold_for_normals(scores, is_normal, 0.5, 0.5) == 0.3
    assert threshold_for_normals(scores, is_normal, 0.5, 0.6) == 0.9
    assert threshold_for_normals(scores, is_normal, 0.5, 0.9) == 0.9  # too few images to promise it
    assert threshold_for_normals(scores, is_normal, 0.0) == 0.9
    assert threshold_for_normals(scores, is_normal, 1.0) == 0.1
    assert threshold_for_normals([0.1, 0.2], [False, False], 0.0) == 0.1
    assert threshold_for_normals([0.1, 0.2], [True, True], 0.0) == 1.0


def test_the_rate_is_kept_on_unseen_images_as_often_as_promised():
    rng = np.random.default_rng(0)
    is_normal = np.ones(111, dtype=bool)
    true_rates = [  # scores are uniform: above a threshold t lies a share of 1 - t
        1 - threshold_for_normals(rng.random(111), is_normal, 0.15, 0.8) for _ in range(300)
    ]
    kept = float(np.mean(np.array(true_rates) <= 0.15))
    assert 0.75 < kept < 0.92
    assert np.mean(true_rates) > 0.1  # and it is not bought with thresholds that draw nothing


@pytest.fixture(scope="module")
def drawn():
    cases, labels = draw_readings(60)
    return cases, labels, fit_settings(cases, labels)


def test_what_was_fitted_gains_score_threshold_and_table(drawn):
    """Boxes on lesions are all true, those on normal images all false."""
    cases, labels, fitted = drawn
    references = [() if label == 0 else (BOX,) for label in labels]
    found = with_box_score(fitted, cases, references, [0])
    points = found.profile.calibration.boxes.operating_points
    assert [each.threshold for each in points] == sorted(each.threshold for each in points)
    assert points[0].found_share >= points[-1].found_share
    assert all(each.false_share < 0.1 for each in points if each.threshold >= 0.5)
    stored = found.to_dict()
    assert stored["thresholds"]["box_threshold"] == found.profile.settings.box_threshold
    assert stored["calibration"]["boxes"]["operating_points"]


def test_without_a_lesion_or_a_localizer_nothing_changes(drawn):
    cases, _, fitted = drawn
    assert with_box_score(fitted, cases, [()] * len(cases), [0]) is fitted
    assert with_box_score(fitted, [], [], [0]) is fitted
