"""Every system is a choice of evidence: hand values, who shows what, and the app's own formula."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from jomed_app.evaluation.held_out import HeldOutCase, Located
from jomed_app.evaluation.systems import ADVERSARIAL, SYSTEMS, conclude_systems
from jomed_app.inference.calibration.probabilities import Calibration, Scaling
from jomed_app.inference.calibration.profile import Profile, Settings
from jomed_app.inference.conclusion.conclude import conclude
from jomed_app.inference.conclusion.evidence import Evidence, counting_alike
from jomed_app.types import ConsistencyState
from tests.evaluation.folds.drawn_readings import BOX, draw_reading

PLAIN = Profile()
SHIFTED = BOX.shifted(1, 1)


def logs(*rows):
    return np.log(np.array(rows, dtype=np.float64))


def indexes(*values):
    return np.array(values, dtype=np.intp)


def chosen(**settings):
    return Profile(settings=Settings(**settings))


ALONE = logs((0.55, 0.45))[0]
CASE = HeldOutCase(
    evidence=Evidence(
        candidates=logs((0.8, 0.2), (0.4, 0.6)),
        scores=np.array([1.0, 1.0]),
        is_text=np.array([False, True]),
        alone=ALONE,
        neighbor_scores=np.array([0.6, 0.6, 0.6]),
        neighbor_labels=indexes(0, 0, 1),
        image=np.array([0.3, 0.7]),
    ),
    labels=indexes(0, 1),
    backbone=logs((0.35, 0.65))[0],
    drawn=counting_alike(logs((0.1, 0.9), (0.3, 0.7)), ALONE),
    drawn_labels=indexes(1, 1),
    adversarial=counting_alike(logs((0.2, 0.8), (0.4, 0.6)), ALONE),
    adversarial_labels=indexes(1, 1),
    boxes=(BOX,),
    located=Located(SHIFTED, presence=0.7, dense=0.6, heat_peak=(5.0, 6.0)),
    seconds=0.5,
)


def test_every_system_by_hand():
    scores = conclude_systems(CASE, PLAIN)
    assert tuple(scores) == SYSTEMS
    expected = {
        "backbone": (0.35, 0.65),
        "image_alone": (0.3, 0.7),
        "knn": (2 / 3, 1 / 3),
        "no_retrieval": (0.55, 0.45),
        "random_candidates": (0.2, 0.8),
        "adversarial_candidates": (0.3, 0.7),
        "reader": (0.6, 0.4),
        "rag": (0.6, 0.4),
    }
    for name, values in expected.items():
        np.testing.assert_allclose(scores[name].probabilities, values, err_msg=name)


def test_only_systems_that_retrieve_show_candidates():
    scores = conclude_systems(CASE, PLAIN)
    for name in ("backbone", "knn", "no_retrieval"):
        assert scores[name].candidate_probabilities is None
        assert scores[name].boxes is None
    rag, drawn, misled = (scores[name] for name in ("rag", "random_candidates", ADVERSARIAL))
    np.testing.assert_allclose(rag.candidate_probabilities, np.exp(CASE.evidence.candidates))
    np.testing.assert_allclose(rag.weights, [0.5, 0.5])
    np.testing.assert_array_equal(drawn.candidate_labels, CASE.drawn_labels)
    np.testing.assert_array_equal(misled.candidate_labels, CASE.adversarial_labels)
    np.testing.assert_allclose(misled.weights, [0.5, 0.5])
    assert (rag.state, drawn.state) == (ConsistencyState.DISAGREE, ConsistencyState.MIXED)
    assert (rag.boxes, rag.seconds) == ((SHIFTED,), 0.5)
    assert scores["reader"].boxes == (BOX,)
    assert drawn.boxes is None


def test_a_label_of_the_index_alone_gets_what_the_vote_gives_it_where_there_is_one():
    new = dataclasses.replace(CASE.evidence, is_new=np.array([False, True]))
    scores = conclude_systems(
        dataclasses.replace(CASE, evidence=new), chosen(vote_share=0.5, image_share=0.25)
    )
    np.testing.assert_allclose(scores["rag"].probabilities, (2 / 3, 1 / 3))
    np.testing.assert_allclose(scores["reader"].probabilities, (0.6, 0.4), err_msg="alone")


def test_the_app_s_system_is_the_app_s_conclusion():
    profile = chosen(vote_share=0.3, image_share=0.2, guidance=0.5, text_offset=-1.0)
    case = draw_reading(1, np.random.default_rng(7))
    expected = conclude(case.evidence, profile)
    rag = conclude_systems(case, profile)["rag"]
    np.testing.assert_array_equal(rag.probabilities, expected.probabilities)
    assert rag.state is expected.states.item()


def test_a_box_is_shown_from_the_threshold_on():
    finding = float(conclude_systems(CASE, PLAIN)["rag"].probabilities[1])
    for threshold, boxes in ((finding - 1e-6, (SHIFTED,)), (finding + 1e-6, ())):
        profile = chosen(box_threshold=threshold)
        rag = conclude_systems(CASE.with_box_score(profile, [0]), profile)["rag"]
        assert rag.boxes == boxes
        assert rag.scored_boxes == ((SHIFTED, pytest.approx(finding)),)
        assert rag.heat_peak == (5.0, 6.0)


def test_where_no_localizer_was_asked_no_box_is_claimed():
    rag = conclude_systems(dataclasses.replace(CASE, located=None), PLAIN)["rag"]
    assert (rag.boxes, rag.scored_boxes, rag.heat_peak) == (None, None, None)


def test_the_vote_is_mixed_into_what_the_app_shows_alone():
    scores = conclude_systems(CASE, chosen(vote_share=0.25))
    expected = (0.75 * 0.6 + 0.25 * 2 / 3, 0.75 * 0.4 + 0.25 / 3)
    np.testing.assert_allclose(scores["rag"].probabilities, expected)
    plain = conclude_systems(CASE, PLAIN)
    for name in set(SYSTEMS) - {"rag"}:
        np.testing.assert_array_equal(scores[name].probabilities, plain[name].probabilities)


def test_without_a_localizer_the_linear_head_is_the_image_alone():
    silent = dataclasses.replace(CASE, evidence=dataclasses.replace(CASE.evidence, image=None))
    said = conclude_systems(silent, PLAIN)["image_alone"].probabilities
    np.testing.assert_allclose(said, (0.35, 0.65))


def test_the_vote_alone_has_settings_of_its_own():
    scores = conclude_systems(
        CASE, chosen(num_neighbors=3, vote_share=1.0), vote_alone=Settings(num_neighbors=1)
    )
    np.testing.assert_allclose(scores["knn"].probabilities, (1 / 1.001, 0.001 / 1.001))
    np.testing.assert_allclose(scores["rag"].probabilities, (2 / 3, 1 / 3))


def test_a_low_temperature_trusts_the_best_hit():
    near = dataclasses.replace(CASE.evidence, scores=np.array([1.0, 0.5]))
    case = dataclasses.replace(CASE, evidence=near)
    rag = conclude_systems(case, chosen(weight_temperature=0.01))["rag"]
    np.testing.assert_allclose(rag.probabilities, (0.8, 0.2), atol=1e-6)


def test_scaling_is_for_the_reader_and_not_for_the_baselines():
    scaled = Profile(calibration=Calibration(scaling=Scaling(temperature=2.0)))
    soft, hard = conclude_systems(CASE, scaled), conclude_systems(CASE, PLAIN)
    for name in ("backbone", "knn"):
        np.testing.assert_array_equal(soft[name].probabilities, hard[name].probabilities)
    for name in ("no_retrieval", "random_candidates", ADVERSARIAL, "reader", "rag"):
        assert soft[name].probabilities.max() < hard[name].probabilities.max()


def test_systems_are_chosen_by_name_and_keep_their_order():
    assert tuple(conclude_systems(CASE, PLAIN, ("rag", "knn"))) == ("knn", "rag")


def test_what_was_not_read_is_no_system():
    """A reading from before there were adversarial candidates."""
    old = dataclasses.replace(CASE, adversarial=None, adversarial_labels=indexes())
    scores = conclude_systems(old, PLAIN)
    assert tuple(scores) == tuple(name for name in SYSTEMS if name != ADVERSARIAL)
    assert conclude_systems(old, PLAIN, (ADVERSARIAL,)) == {}


@pytest.mark.parametrize("seed", range(5))
def test_all_probabilities_sum_to_one(seed):
    scaling = Scaling(temperature=1.7, bias=(0.5, 0.0, -0.5))
    profile = Profile(
        settings=Settings(weight_temperature=0.2, text_offset=-1.0, guidance=1.5),
        calibration=Calibration(scaling=scaling),
    )
    case = draw_reading(seed % 3, np.random.default_rng(seed))
    for scores in conclude_systems(case, profile).values():
        assert scores.probabilities.sum() == pytest.approx(1.0)
