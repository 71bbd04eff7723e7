"""Held-out cases: what the localizer adds, how sure its box is, and the two-class question."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from jomed_app.boxes import Box
from jomed_app.evaluation.systems import ADVERSARIAL, conclude_systems
from jomed_app.inference.calibration.box_score import BoxScore
from jomed_app.inference.calibration.probabilities import Calibration
from jomed_app.inference.calibration.profile import Profile, Settings
from jomed_app.models.localizer.detection import Detection
from jomed_app.models.pixels import Letterbox
from tests.evaluation.folds.drawn_readings import draw_reading, draw_readings

PLAIN = Profile()


def test_what_the_localizer_says_is_put_into_the_image():
    attention = torch.zeros(4, 4)
    attention[1, 3] = 1.0
    box, dense = Box(0.25, 0.25, 0.75, 0.5), (0.75, 0.5)
    said = Detection(box, 0.6, 0.9, (box, box), dense, torch.tensor([0.25, 0.5, 0.25]), attention)
    case = draw_reading(1, np.random.default_rng(0)).with_detection(said, Letterbox(50, 100, 64))
    assert case.located.box.as_tuple() == pytest.approx((25, 0, 75, 25))
    assert (case.located.presence, case.located.dense) == (0.6, 0.75)
    np.testing.assert_allclose(case.evidence.image, (0.25, 0.5, 0.25))
    assert case.located.heat_peak == (87.5, 12.5), "the first of the two rows on the image"


def test_labels_that_the_localizer_never_learned_have_no_probability_by_it():
    case = draw_reading(1, np.random.default_rng(0))
    said = Detection(
        Box(0, 0, 1, 1), 0.6, 0.9, (Box(0, 0, 1, 1),), (0.5,),
        torch.tensor([0.25, 0.75]), torch.ones(4, 4),
    )  # fmt: skip
    found = case.with_detection(said, Letterbox(50, 100, 64))
    np.testing.assert_allclose(found.evidence.image, (0.25, 0.75, 0.0))


def test_a_box_is_as_sure_as_its_parts_by_their_weights():
    case = draw_reading(1, np.random.default_rng(1))
    profile = Profile(calibration=Calibration(boxes=BoxScore(finding=0.0, presence=1.0)))
    assert case.with_box_score(profile, [0]).located.score == pytest.approx(0.9)
    finding = 1 - conclude_systems(case, PLAIN)["rag"].probabilities[0]
    assert case.with_box_score(PLAIN, [0]).located.score == pytest.approx(finding)
    unasked = dataclasses.replace(case, located=None)
    assert unasked.with_box_score(PLAIN, [0]) is unasked


def test_merging_asks_the_two_class_question():
    for whole in draw_readings(6)[0]:
        merged = whole.merged([[0, 1], [2]])
        full, binary = conclude_systems(whole, PLAIN), conclude_systems(merged, PLAIN)
        for name in ("backbone", "image_alone", "no_retrieval", "rag", "random_candidates"):
            p, q = full[name].probabilities, binary[name].probabilities
            np.testing.assert_allclose(q, [p[0] + p[1], p[2]], err_msg=name)
        assert set(binary["rag"].candidate_labels) <= {0, 1}
        assert ADVERSARIAL in full
        assert ADVERSARIAL not in binary, "of another class, but maybe not once merged"


def test_merged_labels_by_hand():
    case = draw_reading(0, np.random.default_rng(0))
    merged = case.merged([[2], [0, 1]])
    alone = np.exp(case.evidence.alone)
    np.testing.assert_allclose(np.exp(merged.evidence.alone), [alone[2], alone[:2].sum()])
    assert merged.labels.tolist() == [0 if label == 2 else 1 for label in case.labels]
    neighbors = case.evidence.neighbor_labels
    np.testing.assert_array_equal(merged.evidence.neighbor_labels, np.where(neighbors == 2, 0, 1))
    assert merged.boxes == case.boxes


def test_a_box_keeps_the_score_of_the_task_s_own_labels():
    profile = Profile(settings=Settings(box_threshold=0.9))
    case = draw_reading(1, np.random.default_rng(2)).with_box_score(profile, [0])
    assert case.merged([[0, 1], [2]]).located == case.located
