from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from jomed_app.boxes import Box
from jomed_app.evaluation.systems import (
    ADVERSARIAL,
    SYSTEMS,
    RawCase,
    ScoringSettings,
    box_parts,
    conclude_systems,
    show_located,
)
from jomed_app.inference.calibration.box_score import BoxScore
from jomed_app.inference.calibration.probabilities import Scaling
from jomed_app.models.localizer.detection import Found
from jomed_app.models.pixels import Letterbox
from jomed_app.types import ConsistencyState
from tests.evaluation.folds.drawn_readings import BOX, draw_reading

PLAIN = ScoringSettings()
SHIFTED = BOX.shifted(1, 1)


def logs(*rows):
    return np.log(np.array(rows, dtype=np.float64))


def indexes(*values):
    return np.array(values, dtype=np.intp)


CASE = RawCase(
    retrieved=logs((0.8, 0.2), (0.4, 0.6)),
    drawn=logs((0.1, 0.9), (0.3, 0.7)),
    plain=logs((0.55, 0.45))[0],
    backbone=logs((0.35, 0.65))[0],
    retrieved_labels=indexes(0, 1),
    drawn_labels=indexes(1, 1),
    neighbor_labels=indexes(0, 0, 1),
    neighbor_scores=np.array([0.6, 0.6, 0.6]),
    scores=np.array([1.0, 1.0]),
    is_text=np.array([False, True]),
    boxes=(BOX,),
    seconds=0.5,
    located=(SHIFTED,),
    presence=0.7,
    dense=0.6,
    class_prob=(0.3, 0.7),
    heat_peak=(5.0, 6.0),
    adversarial=logs((0.2, 0.8), (0.4, 0.6)),
    adversarial_labels=indexes(1, 1),
)


def test_every_system_by_hand():
    scores = conclude_systems(CASE, PLAIN)
    assert tuple(scores) == SYSTEMS
    expected = {
        "backbone": (0.35, 0.65),
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
    np.testing.assert_allclose(rag.candidate_probabilities, np.exp(CASE.retrieved))
    np.testing.assert_allclose(rag.weights, [0.5, 0.5])
    np.testing.assert_array_equal(drawn.candidate_labels, CASE.drawn_labels)
    np.testing.assert_array_equal(misled.candidate_labels, CASE.adversarial_labels)
    np.testing.assert_allclose(misled.weights, [0.5, 0.5])
    assert (rag.state, drawn.state) == (ConsistencyState.DISAGREE, ConsistencyState.MIXED)
    assert (rag.boxes, rag.seconds) == ((SHIFTED,), 0.5)
    assert scores["reader"].boxes == (BOX,)
    assert drawn.boxes is None


def test_a_label_of_the_index_alone_gets_what_the_vote_gives_it():
    """Its share of the vote by hand, 1/3; the other label, whoever speaks for it, has the rest."""
    settings = ScoringSettings(vote_share=0.5, image_share=0.25, num_index_only=1)
    scores = conclude_systems(CASE, settings)
    np.testing.assert_allclose(scores["rag"].probabilities, (2 / 3, 1 / 3))
    np.testing.assert_allclose(scores["reader"].probabilities, (0.6, 0.4), err_msg="alone")
    cold = dataclasses.replace(settings, scaling=Scaling(0.5))
    np.testing.assert_allclose(conclude_systems(CASE, cold)["rag"].probabilities, (0.8, 0.2))


def test_a_box_is_shown_from_the_threshold_on():
    finding = conclude_systems(CASE, ScoringSettings())["rag"].probabilities[1]
    for threshold, boxes in ((finding - 1e-6, (SHIFTED,)), (finding + 1e-6, ())):
        settings = ScoringSettings(box_threshold=float(threshold))
        shown = show_located(CASE, settings, [0])
        rag = conclude_systems(shown, settings)["rag"]
        assert rag.boxes == boxes
        assert rag.scored_boxes == ((SHIFTED, pytest.approx(finding)),)
        assert rag.heat_peak == (5.0, 6.0)


def test_a_box_is_as_sure_as_its_parts_by_their_weights():
    settings = ScoringSettings(box_score=BoxScore(0.0, 0.0, 1.0, 0.0))
    assert show_located(CASE, settings, [0]).box_score == pytest.approx(0.7)
    assert box_parts(CASE, settings, [0]) == pytest.approx((0.4, 0.7, 0.6))


def test_the_vote_is_mixed_into_what_the_app_shows_alone():
    scores = conclude_systems(CASE, ScoringSettings(vote_share=0.25))
    expected = (0.75 * 0.6 + 0.25 * 2 / 3, 0.75 * 0.4 + 0.25 / 3)
    np.testing.assert_allclose(scores["rag"].probabilities, expected)
    plain = conclude_systems(CASE, PLAIN)
    for name in set(SYSTEMS) - {"rag"}:
        np.testing.assert_array_equal(scores[name].probabilities, plain[name].probabilities)


@pytest.mark.parametrize(("asked", "said"), [(True, 0.3), (False, 0.35)])
def test_the_image_alone_is_mixed_in_too(asked, said):
    """The localizer's class query speaks; the linear head where it was not asked."""
    case = CASE if asked else dataclasses.replace(CASE, class_prob=())
    settings = ScoringSettings(vote_share=0.25, image_share=0.5)
    expected = 0.25 * 0.6 + 0.25 * 2 / 3 + 0.5 * said
    scores = conclude_systems(case, settings)
    np.testing.assert_allclose(scores["rag"].probabilities, (expected, 1 - expected))
    np.testing.assert_allclose(scores["image_alone"].probabilities, (said, 1 - said))


def test_as_many_neighbors_vote_as_told_and_near_ones_count_more():
    vote = ScoringSettings(num_neighbors=1).vote(CASE, 2)
    np.testing.assert_allclose(vote, (1 / 1.001, 0.001 / 1.001))
    case = dataclasses.replace(CASE, neighbor_scores=np.array([0.6, 0.5, 0.6]))
    vote = ScoringSettings(vote_temperature=0.1 / np.log(2)).vote(case, 2)
    np.testing.assert_allclose(vote, (1.5 / 2.5, 1 / 2.5))  # the second counts one half


def test_the_vote_alone_has_settings_of_its_own():
    settings = ScoringSettings(num_neighbors=3, alone_neighbors=1, vote_share=1.0)
    scores = conclude_systems(CASE, settings)
    np.testing.assert_allclose(scores["knn"].probabilities, (1 / 1.001, 0.001 / 1.001))
    np.testing.assert_allclose(scores["rag"].probabilities, (2 / 3, 1 / 3))


def test_a_low_temperature_trusts_the_best_hit():
    case = dataclasses.replace(CASE, scores=np.array([1.0, 0.5]))
    rag = conclude_systems(case, ScoringSettings(weight_temperature=0.01))["rag"]
    np.testing.assert_allclose(rag.probabilities, (0.8, 0.2), atol=1e-6)


def test_candidates_of_the_text_search_are_trusted_as_told():
    rag = conclude_systems(CASE, ScoringSettings(text_offset=-np.log(3)))["rag"]
    np.testing.assert_allclose(rag.weights, [0.75, 0.25])
    np.testing.assert_allclose(rag.probabilities, (0.7, 0.3))


def test_guidance_moves_away_from_the_query_alone():
    guided = conclude_systems(CASE, ScoringSettings(guidance=1.0))["rag"]
    first = np.array([0.8**2 / 0.55, 0.2**2 / 0.45])
    np.testing.assert_allclose(guided.candidate_probabilities[0], first / first.sum())


def test_scaling_is_for_the_reader_and_not_for_the_baselines():
    soft = conclude_systems(CASE, ScoringSettings(scaling=Scaling(temperature=2.0)))
    hard = conclude_systems(CASE, PLAIN)
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
    settings = ScoringSettings(0.2, -1.0, 1.5, scaling=Scaling(1.7, (0.5, 0.0, -0.5)))
    case = draw_reading(seed % 3, np.random.default_rng(seed))
    for scores in conclude_systems(case, settings).values():
        assert scores.probabilities.sum() == pytest.approx(1.0)


def test_what_the_localizer_says_is_put_into_the_image():
    attention = torch.zeros(4, 4)
    attention[1, 3] = 1.0
    box, dense = Box(0.25, 0.25, 0.75, 0.5), (0.75, 0.5)
    said = Found(box, 0.6, 0.9, (box, box), dense, torch.tensor([0.25, 0.75]), attention)
    raw = CASE.with_found(said, Letterbox(50, 100, 64))
    (inside,) = raw.located
    assert inside.as_tuple() == pytest.approx((25, 0, 75, 25))
    assert (raw.presence, raw.dense, raw.class_prob) == (0.6, 0.75, (0.25, 0.75))
    assert raw.heat_peak == (87.5, 12.5), "the first of the two rows that lie on the image"
