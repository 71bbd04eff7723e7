"""Weights that a reader moves: hand values, and the same answer through the engine."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from pydantic import ValidationError

from jomed_app.imaging import read_image
from jomed_app.inference.calibration.profile import Profile, Settings
from jomed_app.inference.conclusion.what_if import moved_candidates, with_image_share
from jomed_app.inference.engine import Engine
from jomed_app.types import Moved, Result
from tests.tiny_bundle import FIRST_FRESH_SEED, simulated_png


@pytest.fixture(scope="module")
def engine(tiny_engine):
    """The tiny engine: half of the answer the image alone, a fifth the vote."""
    values = {name: getattr(tiny_engine, name) for name in inspect.signature(Engine).parameters}
    values["profile"] = tiny_engine.profile.with_settings(
        num_neighbors=5, vote_share=0.2, image_share=0.5
    )
    return Engine(**values)


@pytest.fixture(scope="module")
def result(engine) -> Result:
    return list(engine.run(read_image(simulated_png(FIRST_FRESH_SEED))))[-1].result


def test_the_rest_keeps_its_proportions():
    """Image 0.5 to 0.8: the rest shrinks from 0.5 to 0.2, the vote from 0.2 to 0.08."""
    profile = Profile(settings=Settings(vote_share=0.2, image_share=0.5))
    moved = with_image_share(profile, 0.8).settings
    assert (moved.image_share, moved.vote_share) == (0.8, pytest.approx(0.08))
    whole = Profile(settings=Settings(vote_share=0.0, image_share=1.0))
    assert with_image_share(whole, 0.3).settings.vote_share == 0.0


def test_weights_times_factors_sum_to_one_again(result):
    first, second, *others = (each.candidate_id for each in result.candidates)
    moved = Moved(factors={first: 4.0}, removed=(second,))
    kept = moved_candidates(result, moved)
    weights = [each.weight for each in result.candidates]
    total = 4 * weights[0] + sum(weights[2:])
    assert [each.candidate_id for each in kept] == [first, *others]
    assert [each.weight for each in kept] == pytest.approx(
        [4 * weights[0] / total, *(each / total for each in weights[2:])]
    )


def test_the_answer_is_the_sum_with_the_moved_weights(engine, result):
    """By hand: 0.3 of the image, the rest 2 : 3 between vote and readings, then calibrated."""
    first = result.candidates[0].candidate_id
    after = engine.recompute(result, factors={first: 4.0}, image_share=0.3)
    weights = np.array([each.weight for each in result.candidates])
    weights[0] *= 4
    rows = np.array([list(each.probabilities.values()) for each in result.candidates])
    read = (weights / weights.sum()) @ rows
    image = np.array([result.final.image_head.get(name, 0.0) for name in engine.task.labels])
    vote = np.array([result.final.neighbor_vote[name] for name in engine.task.labels])
    mixed = 0.3 * image + 0.28 * vote + 0.42 * read
    expected = np.exp(engine.profile.calibration.scaling.apply(np.log(mixed)))
    assert list(after.final.probabilities.values()) == pytest.approx(list(expected))
    assert (after.final.image_head_weight, after.final.neighbor_weight) == (
        0.3, pytest.approx(0.28),
    )  # fmt: skip
    assert after.moved == Moved(factors={first: 4.0}, image_share=0.3)
    assert after.final.interval is None
    assert (after.boxes, after.findings) == (result.boxes, result.findings)


def test_what_a_result_says_was_moved_leads_to_it_again(engine, result):
    first, second = (each.candidate_id for each in result.candidates[:2])
    after = engine.recompute(result, {second}, factors={first: 0.5}, image_share=1.0)
    stored = Result.model_validate_json(after.model_dump_json(by_alias=True))
    moved = stored.moved
    again = engine.recompute(
        result, moved.removed, factors=moved.factors, image_share=moved.image_share
    )
    assert again == stored == after
    assert after.final.reading_weight == pytest.approx(0.0)


def test_nothing_moved_is_the_result_itself_and_says_nothing(engine, result):
    first = result.candidates[0].candidate_id
    assert engine.recompute(result, factors={first: 1.0, "unknown": 3.0}) is result
    assert result.moved is None
    assert '"moved"' not in result.model_dump_json(by_alias=True)


def test_a_classifier_that_says_nothing_has_no_share_to_move(tiny_engine, result):
    silent = result.model_copy(update={"final": result.final.model_copy(update={"image_head": {}})})
    assert tiny_engine.recompute(silent, image_share=0.5) is silent


def test_a_moved_result_is_not_moved_again(engine, result):
    moved = engine.recompute(result, image_share=0.1)
    with pytest.raises(ValueError, match="in the result of a run, found a moved one"):
        engine.recompute(moved, image_share=0.2)


@pytest.mark.parametrize("wrong", [{"factors": {"a": 17.0}}, {"image_share": 1.5}])
def test_out_of_range_is_refused(wrong):
    with pytest.raises(ValidationError, match="less than or equal to"):
        Moved(**wrong)
