"""Stage questions: blocks behind one image, the loss falls, nothing held out is ever shown."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from jomed_app.config.training import QuestionTrainingConfig
from jomed_app.data.records import AskedQuestion, CaseRecord
from jomed_app.errors import ConfigError
from jomed_app.models.adapters import attach_lora
from jomed_app.models.reader.feature_forward import call_hidden
from jomed_app.training.questions.table import QuestionTable
from jomed_app.training.questions.train import (
    _epoch_rows,
    plan_questions,
    question_blocks,
    split_query,
    train_questions,
)
from jomed_app.training.reader.packing import IGNORED, pack
from tests.tiny_models import build_tiny_reader

ANSWERS = ("yes", "no", "left", "liver")
CONFIG = QuestionTrainingConfig(
    steps=2, images_per_step=2, questions_per_image=2, lr=5e-3, seed=1, max_answer_tokens=6
)


def make_table(reader, num_training=4, num_held_out=2):
    count = num_training + num_held_out
    generator = torch.Generator().manual_seed(3)
    size = int(reader.model.config.vision_config.hidden_size)
    tokens = torch.randn(count, reader.grid**2, size, generator=generator)
    records = [
        CaseRecord(
            case_id=f"c{row}",
            image="i",
            label="CT",
            passage=f"Statement {row}.",
            group=f"g{row}",
            split="train" if row < num_training else "val",
            rows=1,
            columns=1,
            questions=[
                AskedQuestion(question=f"What is at {place}?", answer=ANSWERS[(row + place) % 4])
                for place in range(3)
            ],
        )
        for row in range(count)
    ]
    embeddings = torch.nn.functional.normalize(tokens.mean(1), dim=-1).numpy()
    rows = np.arange(count)
    return QuestionTable(
        records,
        ["slake"] * count,
        tokens.to(torch.bfloat16),
        embeddings,
        rows[:num_training],
        rows[num_training:],
    )


@pytest.fixture(scope="module")
def reader():
    return build_tiny_reader(5, ANSWERS, image_size=64)


@pytest.fixture(scope="module")
def table(reader):
    return make_table(reader)


def tuned(out, steps, **changes):
    reader = build_tiny_reader(5, ANSWERS, image_size=64)
    torch.manual_seed(0)  # of the adapters
    attach_lora(reader.model, rank=4, alpha=8)
    values = {"images_per_step": 2, "questions_per_image": 2, "lr": 5e-3, "seed": 1, **changes}
    table = make_table(reader)
    config = QuestionTrainingConfig(steps=steps, **values)
    return reader, train_questions(reader, table, config, out)


def test_the_loss_falls_and_the_tower_stays(tmp_path):
    before = build_tiny_reader(5, ANSWERS, image_size=64).model.model.vision_tower.state_dict()
    reader, history = tuned(tmp_path, 14)
    losses = [each["loss"] for each in history]
    assert np.mean(losses[-3:]) < 0.7 * np.mean(losses[:2])
    after = reader.model.model.vision_tower.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert not reader.model.training


def test_a_run_is_repeatable_by_seed(tmp_path):
    first, second = (tuned(tmp_path / name, 2)[1] for name in "ab")
    assert first == second
    assert tuned(tmp_path / "c", 2, seed=2)[1] != first


def test_the_question_stands_behind_the_image(reader):
    shared, asked = split_query(reader.prompts, "Is there a mass?")
    assert shared + asked == reader.prompts.query("Is there a mass?")
    assert shared[-1] == reader.prompts.image_token_id
    assert reader.prompts.image_token_id not in asked
    assert shared == split_query(reader.prompts, "Another?")[0]


def test_an_answer_is_as_likely_in_a_packed_image_as_read_alone(reader, table):
    """The packed loss of a block equals what the reader's own scoring says of its row."""
    rng = np.random.default_rng(0)
    config = QuestionTrainingConfig(candidate_share=1.0, random_share=0.0, hidden_share=0.0)
    near = near_first(table)
    planned = plan_questions(table.records[0].questions, near, config, rng)
    blocks = [question_blocks(one, table, reader.prompts, config, rng) for one in planned]
    batch = pack([split_query(reader.prompts, "?")[0]], [[b for each in blocks for b in each]], 0)
    with torch.no_grad():
        query = table.encoding(reader, 0)
        shown = [row for one in planned for row in one.rows if row is not None]
        features = [query.features, *(table.candidate(reader, row, "").features for row in shown)]
        hidden = call_hidden(
            reader.model, batch.input_ids, batch.attention, batch.position_ids, features
        )
        is_asked = batch.targets != IGNORED
        log_prob = reader.model.get_output_embeddings()(hidden[is_asked]).log_softmax(-1)
        said = log_prob.gather(-1, batch.targets[is_asked][:, None])[:, 0]
    start = 0
    for one, rows in zip(planned, blocks, strict=True):
        question = one.asked.question
        candidates = [table.candidate(reader, row, question) for row in one.rows if row is not None]
        reading = reader.read(query, question, candidates)
        scores = reader.score_answers(reading, [rows[0].answer])[:, 0]
        lengths = [len(block.answer) for block in rows]
        packed = torch.stack(
            [part.sum() for part in said[start : start + sum(lengths)].split(lengths)]
        )
        torch.testing.assert_close(packed, torch.cat([scores[-1:], scores[:-1]]), atol=1e-3, rtol=0)
        start += sum(lengths)


def test_candidates_are_training_images_of_other_groups(table):
    rng = np.random.default_rng(0)
    config = QuestionTrainingConfig(candidate_share=1.0, random_share=0.5, num_candidates=3)
    for row in range(len(table.records)):
        near, scores = table.near(row, "What is at 1?")
        assert row not in near
        assert set(near) <= set(table.training)
        assert (np.diff(scores) <= 0).all(), "the best first"
        planned = plan_questions(
            table.records[row].questions, lambda _, near=near: near, config, rng
        )
        for one in planned:
            assert one.rows[0] is None, "every question is read without a candidate too"
            assert set(one.rows[1:]) <= set(near)
            assert len(one.rows) == len(one.hidden_shares) == 4


def test_shares_decide_on_candidates_and_hiding(table):
    near = near_first(table)
    rng = np.random.default_rng(0)
    alone = QuestionTrainingConfig(candidate_share=0.0)
    assert all(
        one.rows == (None,) for one in plan_questions(table.records[0].questions, near, alone, rng)
    )
    hiding = QuestionTrainingConfig(candidate_share=1.0, hidden_share=1.0, query_dropout=0.9)
    for one in plan_questions(table.records[0].questions, near, hiding, rng):
        assert one.hidden_shares[0] == 0.0
        assert min(one.hidden_shares[1:]) >= 0.9
    assert plan_questions(table.records[0].questions, near_none, hiding, rng)[0].rows == (None,)


def test_a_hidden_block_sees_the_question_but_not_all_of_the_image(reader, table):
    rng = np.random.default_rng(0)
    config = QuestionTrainingConfig(candidate_share=1.0, hidden_share=1.0, query_dropout=1.0)
    near = near_first(table)
    one = plan_questions(table.records[0].questions, near, config, rng)[0]
    plain, hidden, *_ = question_blocks(one, table, reader.prompts, config, rng)
    assert plain.dropped is None
    assert int(hidden.dropped.sum()) == reader.prompts.query_tokens


def test_long_answers_are_cut_and_then_have_no_end(reader, table):
    rng = np.random.default_rng(0)
    asked = [AskedQuestion(question="?", answer="a long tale of many letters")]
    one = plan_questions(asked, near_none, CONFIG, rng)[0]
    (block,) = question_blocks(one, table, reader.prompts, CONFIG, rng)
    assert len(block.answer) == CONFIG.max_answer_tokens
    assert reader.prompts.end_id not in block.answer
    short = plan_questions([AskedQuestion(question="?", answer="No")], near_none, CONFIG, rng)[0]
    assert question_blocks(short, table, reader.prompts, CONFIG, rng)[
        0
    ].answer == reader.prompts.answer(" no", complete=True)


def near_none(question):
    return np.array([], dtype=np.int64)


def near_first(table):
    return lambda question: table.near(0, question)[0]


def test_a_candidate_is_read_with_its_answers_to_questions_alike(reader, table):
    rng = np.random.default_rng(0)
    config = QuestionTrainingConfig(candidate_share=1.0, random_share=0.0, hidden_share=0.0)
    asked = AskedQuestion(question="What is at 2?", answer="liver")
    one = plan_questions([asked], near_first(table), config, rng)[0]
    blocks = question_blocks(one, table, reader.prompts, config, rng)
    for row, block in zip(one.rows[1:], blocks[1:], strict=True):
        known = f"What is at 2? {ANSWERS[(row + 2) % 4]}."
        assert table.passage(row, asked.question).startswith(known)
        copied = table.known.answer(table.records[row].case_id, asked.question)
        assert copied == ANSWERS[(row + 2) % 4]
        shown = reader.prompts.candidate("CT", table.passage(row, asked.question))
        assert list(block.prompt)[-len(shown) :] == shown


def test_every_image_comes_once_an_epoch():
    rows = np.arange(6)
    config = QuestionTrainingConfig(images_per_step=2)
    seen = np.concatenate([_epoch_rows(rows, step, config) for step in range(3)])
    assert sorted(seen.tolist()) == rows.tolist()
    assert (_epoch_rows(rows, 3, config) == _epoch_rows(rows, 3, config)).all()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, r"train_questions\.data must be the root"),
        ({"data": "x", "tasks": ("breast",)}, "must be open tasks, 'breast' has labels"),
    ],
)
def test_the_table_needs_data_and_open_tasks(reader, tmp_path, values, said):
    from jomed_app.config.load import JomedConfig
    from jomed_app.training.questions.table import load_question_table
    from jomed_app.training.run.workspace import Workspace

    config = JomedConfig(train_questions=QuestionTrainingConfig(**values))
    with pytest.raises(ConfigError, match=said):
        load_question_table(Workspace(tmp_path, config), reader)
