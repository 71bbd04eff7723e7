"""Phase 2 on free answers: what the reader says is kept, and the image head learns from it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from jomed_app.config.load import JomedConfig
from jomed_app.config.load import RetrieverConfig as RetrieverSettings
from jomed_app.config.training import QuestionTrainingConfig, RetrieverTrainingConfig
from jomed_app.data.wording.questions import taught_answer
from jomed_app.errors import ConfigError
from jomed_app.models.retriever.embedded import RetrieverConfig, RetrieverProjections
from jomed_app.models.towers.tokens import pooled_size
from jomed_app.retrieval.question_search import QUESTION_WEIGHT, QuestionSearch
from jomed_app.training.questions.heads import (
    pooled_features,
    read_true_answers,
    teach_heads_by_questions,
    teach_image_head,
)
from jomed_app.training.questions.table import embed_images
from jomed_app.training.retriever.train import TaughtQueries
from jomed_app.training.run.workspace import Workspace
from tests.tiny_models import build_tiny_reader
from tests.training.questions.test_train import ANSWERS, make_table

DIM, TRAINING, HELD_OUT = 16, 6, 2
READ = QuestionTrainingConfig(taught_questions=TRAINING, taught_candidates=3)
LEARN = RetrieverTrainingConfig(steps=60, batch_size=6, lr=5e-2, weight_decay=0.0)


@pytest.fixture(scope="module")
def reader():
    return build_tiny_reader(5, ANSWERS, image_size=64)


@pytest.fixture(scope="module")
def table(reader):
    """One question an image, so that a query tells its question."""
    table = make_table(reader, TRAINING, HELD_OUT)
    records = [
        record.model_copy(update={"questions": record.questions[row % 3 : row % 3 + 1]})
        for row, record in enumerate(table.records)
    ]
    embeddings = embed_images(make_projections(reader), reader, table.tokens)
    return replace(table, records=records, embeddings=embeddings)


def make_projections(reader):
    torch.manual_seed(4)
    vision = reader.model.config.vision_config
    size = pooled_size(vision)
    config = RetrieverConfig(feature_size=size, passage_size=4, dim=DIM, query_mix=1.0)
    return RetrieverProjections(config).train(False)


@pytest.fixture(scope="module")
def features(reader, table):
    return pooled_features(reader, table)


def test_an_untrained_head_asks_with_the_images_own_embedding(reader, table, features):
    with torch.no_grad():
        queries = make_projections(reader).embed_query(features, "image")
    np.testing.assert_allclose(queries.numpy(), table.embeddings, atol=1e-5)


def test_what_is_kept_is_what_the_reader_says_of_the_true_answer(reader, table, features):
    told = []
    taught = read_true_answers(
        reader, table, READ, features, on_progress=lambda done, total: told.append((done, total))
    )
    assert told == [(done, TRAINING) for done in range(1, TRAINING + 1)]
    assert taught.log_prob.shape == (TRAINING, 3, 1)
    assert taught.labels.tolist() == [0] * TRAINING
    assert bool(taught.keep_mask.all())
    seen = set()
    for place, candidates in enumerate(taught.candidates.tolist()):
        (row,) = np.flatnonzero((features == taught.features[place]).all(-1).numpy()).tolist()
        seen.add(row)
        (asked,) = table.records[row].questions
        near, _ = table.near(row, asked.question)
        assert candidates == near[:3].tolist()
        answer = reader.prompts.answer(f" {taught_answer(asked.answer)}", complete=True)
        alike = QuestionSearch(table.records[:TRAINING]).likeness(asked.question)
        for rank, known in enumerate(candidates):  # each read alone: rows are blind to one another
            shown = [table.candidate(reader, known, asked.question)]
            with torch.no_grad():
                reading = reader.read(table.encoding(reader, row), asked.question, shown)
                said = reader.score_answers(reading, [answer])[0, 0]
            assert float(taught.gold[place, rank]) == pytest.approx(float(said), abs=1e-3)
            expected = QUESTION_WEIGHT * alike[known]
            assert float(taught.offsets[place, rank]) == pytest.approx(expected, abs=1e-5)
    assert seen == set(range(TRAINING)), "every training image, nothing held out"


def test_fewer_questions_are_read_when_fewer_are_wanted(reader, table, features):
    taught = read_true_answers(reader, table, READ.replaced(taught_questions=2), features)
    assert len(taught.features) == 2


def test_too_few_known_images_are_said(reader, table, features):
    wanted = READ.replaced(taught_candidates=TRAINING)  # one more than there are others
    with pytest.raises(ConfigError, match=r"taught_candidates.* 6 .*lower it or add cases"):
        read_true_answers(reader, table, wanted, features)


def planted(table, features, helper, gain=3.0):
    """One training image raises every true answer's likelihood by `gain` nats."""
    rows = [row for row in range(TRAINING) if row != helper]
    candidates = torch.tensor([[c for c in range(TRAINING) if c != row] for row in rows])
    gold = torch.where(candidates == helper, -0.1, -0.1 - gain)
    return TaughtQueries(
        features[rows],
        candidates,
        torch.ones_like(candidates, dtype=torch.bool),
        gold[..., None],
        torch.zeros(len(rows), dtype=torch.long),
        torch.zeros(candidates.shape),
    )


def unlikely_helper(table):
    """The training image that the others find last."""
    alike = table.embeddings[:TRAINING] @ table.embeddings[:TRAINING].T
    return int(alike.mean(0).argmin())


def test_a_candidate_that_always_helps_is_ranked_higher(reader, table, features, tmp_path):
    helper = unlikely_helper(table)
    projections = make_projections(reader)
    before = {name: value.clone() for name, value in projections.state_dict().items()}
    taught = planted(table, features, helper)
    heads = teach_image_head(projections, taught, table, LEARN, tmp_path)
    with torch.no_grad():
        moved = heads.embed_query(features, "image").numpy()
    rows = [row for row in table.training if row != helper]
    ranks = [
        [
            table.shortlist(int(row), query).ids.index(table.records[helper].case_id)
            for row, query in zip(rows, queries, strict=True)
        ]
        for queries in ([None] * len(rows), moved[rows])
    ]
    assert np.mean(ranks[0]) > 1
    assert ranks[1] == [0] * len(rows)
    for name, value in projections.state_dict().items():
        assert torch.equal(value, before[name]), f"a copy is trained, {name} moved"
    text = heads.query_heads["text"].weight
    assert torch.equal(text, projections.query_heads["text"].weight)


def test_a_finished_training_is_taken_up_again(reader, table, features, tmp_path):
    projections = make_projections(reader)
    first, second = (planted(table, features, helper) for helper in (0, 1))
    done = teach_image_head(projections, first, table, LEARN, tmp_path)
    again = teach_image_head(projections, second, table, LEARN, tmp_path, resume=True)
    anew = teach_image_head(projections, second, table, LEARN, tmp_path)
    weight = done.query_heads["image"].weight
    assert torch.equal(again.query_heads["image"].weight, weight)
    assert not torch.equal(anew.query_heads["image"].weight, weight)


def run_config(**values):
    return JomedConfig(
        retriever=RetrieverSettings(dim=DIM, query_mix=1.0),
        train_questions=READ.replaced(**values),
        train_retriever=LEARN.replaced(steps=4),
    )


def test_no_question_to_teach_leaves_the_heads_out(reader, table, tmp_path):
    config = run_config(taught_questions=0)
    assert teach_heads_by_questions(config, tmp_path, reader, table) is None
    assert not (tmp_path / "retriever").exists()


def test_the_stage_moves_queries_and_not_the_reader(reader, table, features, tmp_path):
    config = run_config()
    work = Workspace(tmp_path, config)
    make_projections(reader).save_pretrained(work.align / "projections")
    before = {name: value.clone() for name, value in reader.model.state_dict().items()}
    moved = teach_heads_by_questions(config, tmp_path, reader, table)
    for name, value in reader.model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert moved.shape == table.embeddings.shape
    np.testing.assert_allclose(np.linalg.norm(moved, axis=1), 1.0, atol=1e-5)
    assert not np.allclose(moved, table.embeddings, atol=1e-4)
    kept = RetrieverProjections.from_pretrained(work.retriever("questions") / "projections")
    with torch.no_grad():
        np.testing.assert_allclose(kept.embed_query(features, "image").numpy(), moved, atol=1e-6)
    resumed = teach_heads_by_questions(config, tmp_path, reader, table, resume=True)
    assert np.array_equal(resumed, moved)
