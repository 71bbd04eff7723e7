"""What a training step reads: kinds of blocks, their candidates, weights and hidden tokens."""

from __future__ import annotations

import numpy as np
import pytest

from jomed_app.boxes import Box
from jomed_app.config.training import ReaderTrainingConfig
from jomed_app.data.wording.prompts import SAME_QUESTION
from jomed_app.training.reader.sampling import (
    DESCRIPTOR_WEIGHT,
    LABEL_WEIGHT,
    LOCATION_WEIGHT,
    PlannedBlock,
    Pool,
    RowSampler,
    to_block,
)
from tests.tiny_models import build_tiny_reader
from tests.training.localizer.small_cases import TASK, drawn_cases

BOX = Box(0.25, 0.25, 0.5, 0.75)
RECORDS = drawn_cases(12).records
POOL = Pool(np.arange(1, 12), {0: np.arange(2, 12)})  # the query is row 0, row 1 its twin
PLAIN_CONFIG = {
    "hidden_share": 0.0,
    "random_share": 0.0,
    "comparison_share": 0.0,
    "plain_share": 0.0,
    "num_candidates": 4,
    "candidate_depth": 5,
}


@pytest.fixture(scope="module")
def reader():
    return build_tiny_reader(0, TASK.answer_words)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def plan(rng, box=BOX, **changes):
    config = ReaderTrainingConfig(**{**PLAIN_CONFIG, **changes})
    sampler = RowSampler(TASK, RECORDS, {"all": POOL}, {0: {"all": 1.0}}, config, 16)
    return sampler.plan(0, box, rng)


def put(reader, rng, block, question=TASK.question):
    locations = set(reader.location_ids.tolist())
    return to_block(block, question, RECORDS, reader.prompts, locations, rng)


def test_candidates_are_near_and_differ(rng):
    planned = plan(rng)
    rows = [block.candidate for block in planned.blocks]
    assert len(set(rows)) == 4
    assert set(rows) <= {2, 3, 4, 5, 6}
    assert planned.question == TASK.question


def test_every_block_has_the_querys_answer(rng):
    answers = {(block.answer, block.complete) for block in plan(rng).blocks}
    assert answers == {(" bright<loc_04><loc_04><loc_08><loc_12> small", True)}


def test_without_a_box_the_answer_is_a_beginning(rng):
    blocks = plan(rng, box=None).blocks
    assert {(block.answer, block.complete) for block in blocks} == {(" bright", False)}


def test_random_candidates_come_from_farther_away():
    rows = {
        block.candidate
        for seed in range(20)
        for block in plan(np.random.default_rng(seed), random_share=1.0).blocks
    }
    assert rows == set(range(2, 12))  # never the query or its twin


def test_a_plain_block_comes_last(rng):
    blocks = plan(rng, plain_share=1.0).blocks
    assert [block.candidate is None for block in blocks] == [False] * 4 + [True]
    assert blocks[-1].hidden_share == 0


def test_hiding_hides_at_least_its_share(rng):
    blocks = plan(rng, hidden_share=1.0, query_dropout=0.7).blocks
    assert all(0.7 <= block.hidden_share <= 1.0 for block in blocks)


def test_comparisons_are_half_and_half_and_true(rng):
    planned = plan(rng, comparison_share=1.0)
    assert planned.question == SAME_QUESTION
    assert [block.answer for block in planned.blocks] == [" yes", " no", " yes", " no"]
    for block in planned.blocks:
        same = RECORDS[block.candidate].label == RECORDS[0].label
        assert same == (block.answer == " yes")


def test_a_comparison_that_cannot_be_made_is_left_out(rng):
    only_others = Pool(np.array([1, 2]), {0: np.array([1, 2])})  # dark and none, query is bright
    config = ReaderTrainingConfig(**{**PLAIN_CONFIG, "comparison_share": 1.0})
    sampler = RowSampler(TASK, RECORDS, {"few": only_others}, {0: {"few": 1.0}}, config, 16)
    assert [block.answer for block in sampler.plan(0, BOX, rng).blocks] == [" no", " no"]


def test_a_pool_is_drawn_by_its_share(rng):
    pools = {"near": Pool(np.array([3]), {0: np.array([3])}), "far": POOL}
    config = ReaderTrainingConfig(**PLAIN_CONFIG)
    sampler = RowSampler(TASK, RECORDS, pools, {0: {"near": 1.0, "far": 0.0}}, config, 16)
    assert {block.candidate for block in sampler.plan(0, BOX, rng).blocks} == {3}


def test_a_seed_gives_one_plan():
    shares = {"hidden_share": 0.5, "random_share": 0.5, "plain_share": 0.5}
    first, second = (plan(np.random.default_rng(9), **shares) for _ in range(2))
    assert first == second


def test_a_seed_draws_what_it_always_drew():
    """So that tuning done again gives the same reader: the candidates, and what is drawn next."""
    shares = {"hidden_share": 0.5, "random_share": 0.5, "plain_share": 0.5, "comparison_share": 0.3}
    config = ReaderTrainingConfig(**{**PLAIN_CONFIG, **shares})
    sampler = RowSampler(TASK, RECORDS, {"all": POOL}, {0: {"all": 1.0}}, config, 16)
    drawn = {}
    for seed in (0, 1, 2):
        rng = np.random.default_rng(seed)
        blocks = sampler.plan(0, BOX, rng).blocks
        drawn[seed] = [block.candidate for block in blocks], round(rng.random(), 6)
    assert drawn == {
        0: ([3, 2, 3, 2], 0.81327),
        1: ([4, 10, 3, 3, None], 0.262313),
        2: ([6, 10, 6, 2], 0.600101),
    }


def test_comparisons_have_their_share():
    config = ReaderTrainingConfig(**{**PLAIN_CONFIG, "comparison_share": 0.3})
    sampler = RowSampler(TASK, RECORDS, {"all": POOL}, {0: {"all": 1.0}}, config, 16)
    rng = np.random.default_rng(0)
    asked = [sampler.plan(0, BOX, rng).question for _ in range(2000)]
    assert asked.count(SAME_QUESTION) / 2000 == pytest.approx(0.3, abs=0.04)


def test_weights_by_kind_of_token(reader, rng):
    block = put(reader, rng, PlannedBlock(2, " bright<loc_04><loc_12> small", True))
    names = reader.tokenizer.convert_ids_to_tokens(list(block.answer))
    assert names == [" bright", "<loc_04>", "<loc_12>", " small", "<|im_end|>"]
    small, end = DESCRIPTOR_WEIGHT, DESCRIPTOR_WEIGHT
    assert block.weights == [LABEL_WEIGHT, LOCATION_WEIGHT, LOCATION_WEIGHT, small, end]
    assert block.dropped is None


def test_a_label_of_many_tokens_counts_as_a_whole(reader, rng):
    block = put(reader, rng, PlannedBlock(2, " abc<loc_04>", False))
    assert block.weights == [LABEL_WEIGHT] * 4 + [LOCATION_WEIGHT]  # " abc" is four bytes


def test_a_block_that_hides_asks_for_the_label_only(reader, rng):
    block = put(reader, rng, PlannedBlock(2, " bright<loc_04> small", True, hidden_share=1.0))
    assert block.weights == [LABEL_WEIGHT, 0.0, 0.0, 0.0]
    query = reader.prompts.query(TASK.question)
    hidden = [place for place, drop in enumerate(block.dropped.tolist()) if drop]
    shown = [place for place, token in enumerate(query) if token == reader.prompts.image_token_id]
    assert hidden == shown  # all image tokens, no word


def test_a_share_hides_part_of_the_image(reader, rng):
    dropped = put(reader, rng, PlannedBlock(2, " bright", True, hidden_share=0.5)).dropped
    assert 0 < dropped.sum() < 16


def test_a_comparison_does_not_show_the_label(reader, rng):
    block = put(reader, rng, PlannedBlock(3, " yes", True), SAME_QUESTION)
    assert block.prompt == reader.prompts.candidate("unknown", "")
    open_block = put(reader, rng, PlannedBlock(3, " bright", True))
    record = RECORDS[3]
    assert open_block.prompt == reader.prompts.candidate(record.label, record.passage)


def test_no_candidate_has_its_own_prompt(reader, rng):
    assert put(reader, rng, PlannedBlock(None, " bright", True)).prompt == (
        reader.prompts.no_candidate()
    )
