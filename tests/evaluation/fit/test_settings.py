from __future__ import annotations

import dataclasses
import json
from itertools import product

import numpy as np
import pytest

from jomed_app.evaluation.fit.settings import (
    CONFORMAL_ALPHA,
    GUIDANCE,
    MAX_SHARE,
    NEIGHBORS,
    SHARES,
    TEXT_OFFSETS,
    VOTE_TEMPERATURES,
    WEIGHT_TEMPERATURES,
    fit_settings,
    labels_of,
)
from jomed_app.evaluation.systems import conclude_systems
from jomed_app.inference.calibration.profile import Profile, Settings, read_profile
from tests.evaluation.folds.drawn_readings import draw_readings

CHOSEN = (
    "weight_temperature",
    "text_offset",
    "guidance",
    "num_neighbors",
    "vote_temperature",
    "vote_share",
    "image_share",
)


@pytest.fixture(scope="module")
def readings():
    return draw_readings(150)


@pytest.fixture(scope="module")
def fitted(readings):
    return fit_settings(*readings)


def loss(raw, labels, profile):
    rows = [conclude_systems(case, profile, ("rag",))["rag"].probabilities for case in raw]
    return float(-np.log(np.stack(rows)[np.arange(len(labels)), labels]).mean())


def test_every_pair_of_settings_is_tried_and_the_best_is_taken(readings, fitted):
    num_readings = len(WEIGHT_TEMPERATURES) * len(TEXT_OFFSETS) * len(GUIDANCE)
    pairs = [pair for pair in product(SHARES, SHARES) if sum(pair) <= MAX_SHARE]
    num_votes = len(NEIGHBORS) * len(VOTE_TEMPERATURES) * len(pairs)
    assert len(fitted.trials) == num_readings + num_votes
    best = min(fitted.trials, key=lambda trial: trial["nll"])
    for name in CHOSEN:
        assert best[name] == getattr(fitted.profile.settings, name), name
    assert loss(*readings, fitted.profile) == pytest.approx(best["nll"])


def test_the_choice_is_at_least_as_good_as_no_choice(readings, fitted):
    assert loss(*readings, fitted.profile) <= loss(*readings, Profile()) + 1e-9


def test_guidance_is_chosen_where_candidates_are_trusted_too_little():
    """A reader that heeds its candidates by a third of what they are worth."""
    shy, labels = draw_readings(300, seed=1, help_of_candidates=0.7)
    chosen = fit_settings(shy, labels).profile
    assert loss(shy, labels, chosen) < loss(shy, labels, Profile()) - 0.01


def test_neighbors_that_know_the_answer_are_heard():
    known, labels = draw_readings(150, seed=2, help_of_neighbors=0.8)
    chosen = fit_settings(known, labels).profile
    assert chosen.settings.vote_share > 0
    mute = chosen.with_settings(vote_share=0.0)
    assert loss(known, labels, chosen) < loss(known, labels, mute) - 0.01


def test_the_vote_alone_is_fitted_for_itself(readings, fitted):
    raw, labels = readings

    def alone(count, temperature):
        voters = Settings(num_neighbors=count, vote_temperature=temperature)
        rows = [
            conclude_systems(case, Profile(), ("knn",), vote_alone=voters)["knn"].probabilities
            for case in raw
        ]
        return float(-np.log(np.stack(rows)[np.arange(len(labels)), labels]).mean())

    chosen = alone(fitted.vote_alone.num_neighbors, fitted.vote_alone.vote_temperature)
    tried = [alone(*pair) for pair in product(NEIGHBORS, VOTE_TEMPERATURES)]
    assert chosen == pytest.approx(min(tried))


def test_neighbors_that_mislead_are_not_heard():
    """Every neighbor has another label than the case."""
    cases, labels = draw_readings(150, seed=3)
    wrong = [
        dataclasses.replace(
            case,
            evidence=dataclasses.replace(
                case.evidence, neighbor_labels=((label + 1 + np.arange(64) % 2) % 3).astype(np.intp)
            ),
        )
        for case, label in zip(cases, labels, strict=True)
    ]
    assert fit_settings(wrong, labels).profile.settings.vote_share == 0


def test_the_conformal_sets_hold_the_truth_as_often_as_promised(readings, fitted):
    fresh, labels = draw_readings(300, seed=5)
    rows = np.stack(
        [conclude_systems(case, fitted.profile, ("rag",))["rag"].probabilities for case in fresh]
    )
    members = fitted.profile.calibration.conformal.members(rows)
    covered = members[np.arange(len(labels)), labels].mean()
    assert covered > 1 - CONFORMAL_ALPHA - 0.05


def test_the_error_rates_count_every_case(readings, fitted):
    rates = fitted.profile.calibration.error_rates
    assert sum(rate.num_cases for rate in rates.values()) == len(readings[0])
    assert set(rates) <= {"consistent", "mixed", "disagree"}
    assert rates["disagree"].rate > rates["consistent"].rate


def test_every_case_stands_somewhere(readings, fitted):
    """What the screen shows is counted apart from whether the readings agree."""
    calibration = fitted.profile.calibration
    assert sum(each.num_cases for each in calibration.standing_errors.values()) == len(readings[0])
    for name, each in calibration.standing_errors.items():
        if name in calibration.error_rates:
            assert each.num_cases <= calibration.error_rates[name].num_cases


def test_the_profile_survives_a_file(fitted):
    stored = json.loads(json.dumps(fitted.to_dict()))
    assert set(stored["thresholds"]) == set(Settings.model_fields)
    assert stored["knn"].keys() == {"num_neighbors", "vote_temperature"}
    kept = {name: stored[name] for name in ("thresholds", "calibration", "measured_on")}
    assert read_profile(kept).settings == fitted.profile.settings
    assert read_profile(kept).calibration == fitted.profile.calibration


def test_labels_follow_the_order_of_rows():
    labels = np.array([2, 1, 0, 1], dtype=np.intp)
    assert labels_of({3: None, 0: None, 2: None}, labels).tolist() == [2, 0, 1]
