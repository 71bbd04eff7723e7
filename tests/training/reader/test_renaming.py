"""Made-up class names: what they are, and what a block under such a name shows and asks for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from transformers import AutoTokenizer

from jomed_app.boxes import Box
from jomed_app.config.training import ReaderTrainingConfig
from jomed_app.data.tasks import load_task
from jomed_app.data.wording.prompts import SAME_QUESTION
from jomed_app.training.reader.renaming import MADE_UP_NAMES, made_up_names, silent_passage
from jomed_app.training.reader.sampling import (
    LABEL_WEIGHT,
    PlannedBlock,
    Pool,
    RowSampler,
    to_block,
)
from tests.tiny_models import build_tiny_reader
from tests.training.localizer.small_cases import TASK, drawn_cases

BUNDLE = Path(__file__).resolve().parents[3] / "assets" / "bundle"
RECORDS = drawn_cases(12).records  # bright, dark, none in turn; the query is row 0
POOL = Pool(np.arange(1, 12), {0: np.arange(2, 12)})
BOX = Box(0.25, 0.25, 0.5, 0.75)
SHARES = {"hidden_share": 0.0, "random_share": 0.0, "comparison_share": 0.0, "plain_share": 0.0}


def sampler_of(**changes):
    config = ReaderTrainingConfig(**{**SHARES, "num_candidates": 4, **changes})
    return RowSampler(TASK, RECORDS, {"all": POOL}, {0: {"all": 1.0}}, config, 16)


def plan(seed=0, **changes):
    return sampler_of(**changes).plan(0, BOX, np.random.default_rng(seed))


@pytest.fixture(scope="module")
def reader():
    return build_tiny_reader(0, TASK.answer_words)


def put(reader, block, records=RECORDS):
    rng = np.random.default_rng(0)
    return to_block(block, TASK.question, records, reader.prompts, set(), rng)


def test_names_in_use_and_their_letters_are_left_out():
    names = made_up_names(["benign", " Normal"])
    assert set(MADE_UP_NAMES) - set(names) == {"bronze", "nickel"}


@pytest.mark.parametrize("task", ["breast", "retina", "polyp"])
def test_the_first_token_tells_the_name(task):
    """The tokenizer that ships; the names stand in its plain part, which all tasks share."""
    labels = load_task(task).labels
    tokenizer = AutoTokenizer.from_pretrained(BUNDLE / "reader")
    words = [*made_up_names(labels), *labels]
    first = [tokenizer(f" {word}", add_special_tokens=False)["input_ids"][0] for word in words]
    assert len(words) >= 20
    assert len(set(first)) == len(words)


def test_labels_may_not_take_every_letter():
    with pytest.raises(ValueError, match=r"a letter that no label begins with.*renamed_share = 0"):
        made_up_names([name[0] for name in MADE_UP_NAMES])


@pytest.mark.parametrize(
    ("passage", "left"),
    [("A Bright square.", ""), ("It is unbright.", ""), ("A dark square.", "A dark square.")],
)
def test_a_passage_that_says_the_label_is_left_out(passage, left):
    assert silent_passage(passage, "bright") == left


def test_the_made_up_name_is_the_answer_beside_the_same_class_alone():
    planned = plan(renamed_share=1.0)
    assert planned.question == TASK.question
    (name,) = {block.shown for block in planned.blocks}
    assert name in made_up_names(TASK.labels)
    answers = [block.answer for block in planned.blocks]
    assert answers == [f" {name}", " bright", f" {name}", " bright"]
    for block in planned.blocks:
        is_same = RECORDS[block.candidate].label == "bright"
        assert is_same == (block.answer == f" {name}")
        assert not block.complete
        assert block.hidden_share == 0


def test_names_change_from_query_to_query():
    sampler, rng = sampler_of(renamed_share=1.0), np.random.default_rng(0)
    names = {sampler.plan(0, BOX, rng).blocks[0].shown for _ in range(200)}
    assert names == set(made_up_names(TASK.labels))


def test_the_block_without_a_candidate_keeps_the_true_answer():
    last = plan(renamed_share=1.0, plain_share=1.0).blocks[-1]
    assert (last.candidate, last.shown) == (None, "")
    assert last.answer.startswith(" bright<loc_")


def test_a_missing_class_leaves_its_blocks_out():
    others = Pool(np.array([1, 2]), {0: np.array([1, 2])})  # dark and none
    config = ReaderTrainingConfig(**SHARES, renamed_share=1.0)
    sampler = RowSampler(TASK, RECORDS, {"few": others}, {0: {"few": 1.0}}, config, 16)
    planned = sampler.plan(0, BOX, np.random.default_rng(0))
    assert [block.answer for block in planned.blocks] == [" bright", " bright"]


def test_shares_are_of_all_queries():
    sampler = sampler_of(comparison_share=0.3, renamed_share=0.4)
    rng, kinds = np.random.default_rng(0), []
    for _ in range(2000):
        planned = sampler.plan(0, BOX, rng)
        is_comparison = planned.question == SAME_QUESTION
        kinds.append("same" if is_comparison else bool(planned.blocks[0].shown))
    assert kinds.count("same") / 2000 == pytest.approx(0.3, abs=0.04)
    assert kinds.count(True) / 2000 == pytest.approx(0.4, abs=0.04)


def test_without_renaming_nothing_is_drawn_for_it():
    """Drawn by the sampler as it was before there were made-up names: candidates, what is next."""
    shares = {"hidden_share": 0.5, "random_share": 0.5, "plain_share": 0.5}
    config = ReaderTrainingConfig(
        **shares, comparison_share=0.3, num_candidates=4, candidate_depth=5
    )
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


def test_a_renamed_block_shows_its_name_and_not_the_true_one(reader):
    block = put(reader, PlannedBlock(3, " amber", False, shown="amber"))
    assert RECORDS[3].passage == "A bright square."
    assert block.prompt == reader.prompts.candidate("amber", "")
    silent = [record.model_copy(update={"passage": "Near the edge."}) for record in RECORDS]
    block = put(reader, PlannedBlock(3, " amber", False, shown="amber"), silent)
    assert block.prompt == reader.prompts.candidate("amber", "Near the edge.")


def test_a_renamed_block_asks_for_the_label_only(reader):
    block = put(reader, PlannedBlock(3, " bright<loc_04> small", True, shown="amber"))
    assert block.weights == [LABEL_WEIGHT, 0.0, 0.0, 0.0]
    block = put(reader, PlannedBlock(3, " amber", False, shown="amber"))
    assert block.weights == [LABEL_WEIGHT] * len(" amber")  # the tiny tokenizer spells it out
