from __future__ import annotations

import inspect

import numpy as np
import pytest

from jomed_app.imaging import read_image
from jomed_app.inference.engine import Engine
from jomed_app.types import ConsistencyState
from tests.tiny_bundle import FIRST_FRESH_SEED, simulated_png


@pytest.fixture(scope="module")
def result(tiny_engine):
    return list(tiny_engine.run(read_image(simulated_png(FIRST_FRESH_SEED))))[-1].result


def test_removing_nothing_changes_nothing(tiny_engine, result):
    assert tiny_engine.recompute(result, ()) == result
    assert tiny_engine.recompute(result, {"unknown"}) == result


def test_removing_one_renormalizes_and_keeps_the_boxes(tiny_engine, result):
    gone = result.candidates[1].candidate_id
    after = tiny_engine.recompute(result, {gone})
    assert gone not in {each.candidate_id for each in after.candidates}
    assert sum(each.weight for each in after.candidates) == pytest.approx(1.0)
    kept = [each for each in result.candidates if each.candidate_id != gone]
    total = sum(each.weight for each in kept)
    for before, now in zip(kept, after.candidates, strict=True):
        assert now.weight == pytest.approx(before.weight / total)
        assert now.rank == before.rank
    assert (after.boxes, after.findings, after.input) == (
        result.boxes,
        result.findings,
        result.input,
    )


def test_the_last_candidate_alone_is_its_own_answer(tiny_engine, result):
    last = result.candidates[-1]
    others = {each.candidate_id for each in result.candidates[:-1]}
    after = tiny_engine.recompute(result, others)
    expected = np.exp(
        tiny_engine.profile.calibration.scaling.apply(np.log(list(last.probabilities.values())))
    )
    assert list(after.final.probabilities.values()) == pytest.approx(list(expected))
    assert after.consistency.decisive_candidate is None


def test_removing_all_abstains_with_a_sentence(tiny_engine, result):
    after = tiny_engine.recompute(result, {each.candidate_id for each in result.candidates})
    assert (after.final.prediction, after.final.abstained) == (None, True)
    assert after.final.reason == "every candidate was removed; restore one of them"
    assert after.consistency.state is ConsistencyState.ABSTAIN
    assert after.candidates == ()


def test_a_removal_that_changes_the_answer_keeps_an_honest_counter_case(tiny_engine, result):
    for each in result.candidates:
        after = tiny_engine.recompute(result, {each.candidate_id})
        counter = after.consistency.counter_candidate
        assert counter is None or tiny_engine.candidate(counter).label != after.final.prediction


@pytest.fixture(scope="module")
def voting_engine(tiny_engine):
    """The tiny engine, with half of the answer left to the nearest cases."""
    names = list(inspect.signature(Engine).parameters)
    values = {name: getattr(tiny_engine, name) for name in names}
    values["profile"] = tiny_engine.profile.with_settings(num_neighbors=5, vote_share=0.5)
    return Engine(**values)


def test_the_nearest_cases_vote_and_the_vote_outlives_a_removal(voting_engine, result):
    """The last candidate's own answer and the vote, half and half."""
    image = read_image(simulated_png(FIRST_FRESH_SEED))
    voted = list(voting_engine.run(image))[-1].result
    vote = voted.final.neighbor_vote
    assert tuple(vote) == voting_engine.task.labels
    assert sum(vote.values()) == pytest.approx(1.0)
    assert voted.final.neighbor_weight == 0.5
    assert (voted.candidates, result.final.neighbor_weight) == (result.candidates, 0.0)
    last = voted.candidates[-1]
    after = voting_engine.recompute(voted, {each.candidate_id for each in voted.candidates[:-1]})
    assert after.final.neighbor_vote == vote
    mixed = [(last.probabilities[label] + vote[label]) / 2 for label in vote]
    expected = np.exp(voting_engine.profile.calibration.scaling.apply(np.log(mixed)))
    assert list(after.final.probabilities.values()) == pytest.approx(list(expected))
