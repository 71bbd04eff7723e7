"""One fold read: beside whom, what trained heads change, and what phase 2 leaves alone."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
import torch

from jomed_app.config.load import JomedConfig
from jomed_app.config.training import RetrieverTrainingConfig
from jomed_app.evaluation.folds.read_fold import read_fold, read_joint, view_of
from jomed_app.models.retriever.query_heads import HEADS
from jomed_app.models.towers.tokens import pooled_size
from jomed_app.retrieval.search import find_candidates
from jomed_app.training.cases.fold_corpus import FoldCorpus
from jomed_app.training.cases.table_reader import TableReader
from jomed_app.training.retriever.answer_cache import AnswerCache
from jomed_app.training.retriever.stage import teach_heads
from tests.evaluation.noise_table import TASK, noise_table
from tests.tiny_models import build_tiny_reader

FOLD = 1
K = JomedConfig().index.k_per_head
CONFIG = RetrieverTrainingConfig(steps=3, batch_size=4, lr=0.1, num_image=3, num_text=2)


@pytest.fixture(scope="module")
def reader():
    """In fp32, so that packing changes nothing but rounding."""
    reader = build_tiny_reader(2, TASK.answer_words, image_size=64)
    reader.model.float().eval().requires_grad_(False)
    return reader


@pytest.fixture(scope="module")
def table(reader):
    return noise_table(reader)


@pytest.fixture
def corpus(table):
    return FoldCorpus(table, FOLD)


def read(reader, table, *, fold=FOLD, tokens=None, members=None, **more):
    corpus = FoldCorpus(table, fold, members)
    queries = table.tokens[table.real] if tokens is None else tokens
    view = view_of(table, TASK, reader.tower.config)
    return read_fold(reader, TASK, corpus, fold, queries, view, K, **more)


@pytest.fixture(scope="module")
def standard(reader, table):
    """What the frozen retriever's candidates lead to."""
    return read(reader, table, misleads=True)


def row_of(name):
    return int(name.removeprefix("c"))


def test_a_view_holds_labels_groups_and_features(reader, table):
    view = view_of(table, TASK, reader.tower.config)
    assert view.labels.tolist() == [place % 3 for place in range(18)]
    assert view.groups[6] == view.groups[7] == "pair"
    assert view.groups[8] == "c8"
    assert view.features.shape == (18, pooled_size(reader.tower.config))


def test_a_fold_is_read_beside_cases_of_the_other_folds(reader, table):
    steps = []
    found = read(reader, table, on_progress=lambda done, total, **_: steps.append((done, total)))
    assert sorted(found) == table.held_out_rows(FOLD).tolist()
    allowed = set(table.training_rows(FOLD).tolist())
    for case in found.values():
        rows = [row_of(name) for name in case.candidate_ids]
        assert len(set(rows)) == 4
        assert set(rows) <= allowed
        assert case.labels.tolist() == [row % 3 for row in rows]
        assert case.evidence.scores.max() == pytest.approx(1.0)
        neighbors = case.evidence.neighbor_labels
        assert sorted(neighbors) == sorted(row % 3 for row in allowed), "fewer than 64"
        assert (np.diff(case.evidence.neighbor_scores) <= 0).all()
        assert np.exp(case.backbone).sum() == pytest.approx(1.0)
        assert (case.boxes, case.located) == (None, None)
    assert steps[-1] == (len(found), len(found))


def test_a_fold_finds_what_the_app_s_search_finds(reader, table, corpus, standard):
    for row, case in standard.items():
        vectors = corpus.query(table.features[row], corpus.projections, trained=False)
        hits = find_candidates(corpus.view, vectors, K, *corpus.left_out(row))
        assert list(case.candidate_ids) == [hit.candidate_id for hit in hits]


def test_a_query_never_meets_its_group(reader, table):
    """With the twins torn apart, the one left in the corpus is still no candidate."""
    folds = table.folds.copy()
    folds[4] = 0
    torn = dataclasses.replace(table, folds=folds)
    assert 7 in torn.training_rows(FOLD)
    found = read(reader, torn)
    assert "c7" not in found[6].candidate_ids
    assert len(found[6].evidence.neighbor_scores) == len(torn.training_rows(FOLD)) - 1
    assert any("c7" in case.candidate_ids for row, case in found.items() if row != 6)


def test_misleading_candidates_are_of_another_class(standard):
    for row, case in standard.items():
        assert row % 3 not in case.adversarial_labels
        assert len(case.adversarial_labels) == 4


def test_without_another_class_nothing_misleads(reader, table):
    same = np.array([3, 6, 9, 12, 15])  # of the first label
    found = read(reader, table, members=same, misleads=True)
    assert all((case.adversarial is None) is (row % 3 == 0) for row, case in found.items())


def test_the_reader_says_boxes_where_told(reader, table):
    found = read(reader, table, asks_box=True)
    for case in found.values():
        for box in case.boxes:
            assert 0 <= box.x0 < box.x1 <= 64
            assert 0 <= box.y0 < box.y1 <= 64


def test_masked_queries_are_read_anew_beside_the_same_random_cases(reader, table):
    plain = read(reader, table, fold=2)
    masked = read(reader, table, fold=2, tokens=0.5 * table.tokens[table.real])
    assert masked.keys() == plain.keys()
    changed = [
        np.abs(masked[row].evidence.alone - plain[row].evidence.alone).max() for row in plain
    ]
    assert max(changed) > 1e-3
    for row in plain:
        np.testing.assert_array_equal(masked[row].drawn_labels, plain[row].drawn_labels)


def read_with(heads, reader, corpus, standard, path):
    return read_joint(
        TableReader(reader, TASK, corpus.table),
        corpus,
        heads,
        AnswerCache(path, "key"),
        standard,
        K,
    )


def teach(reader, corpus, path):
    table = corpus.table
    return teach_heads(
        TableReader(reader, TASK, table),
        corpus,
        AnswerCache(path / "answers.npz", "key"),
        table.training_rows(FOLD),
        CONFIG,
        path,
    )


def test_at_step_0_the_query_is_that_of_the_frozen_search_bit_by_bit(corpus, table):
    untrained = copy.deepcopy(corpus.projections)
    assert untrained.config.query_mix > 0, "the heads take part"
    for row in table.held_out_rows(FOLD):
        trained = corpus.query(table.features[int(row)], untrained, trained=True)
        frozen = corpus.query(table.features[int(row)], untrained, trained=False)
        for head in HEADS:
            np.testing.assert_array_equal(trained[head], frozen[head])


def test_at_step_0_joint_retrieval_finds_what_the_frozen_one_finds(
    reader, corpus, standard, tmp_path
):
    heads = copy.deepcopy(corpus.projections)
    joint = read_with(heads, reader, corpus, standard, tmp_path / "a.npz")
    assert joint.keys() == standard.keys()
    for row, case in standard.items():
        assert joint[row].candidate_ids == case.candidate_ids
        for name in ("scores", "is_text", "neighbor_labels"):
            np.testing.assert_allclose(
                getattr(joint[row].evidence, name), getattr(case.evidence, name), 1e-5
            )


def test_cached_and_uncached_answers_agree(reader, corpus, standard, tmp_path):
    """The cache reads other candidates in the same sequence, and keeps single precision."""
    heads = copy.deepcopy(corpus.projections)
    joint = read_with(heads, reader, corpus, standard, tmp_path / "a.npz")
    for row, case in standard.items():
        np.testing.assert_allclose(
            joint[row].evidence.candidates, case.evidence.candidates, atol=1e-5, rtol=0
        )


def test_trained_heads_find_other_candidates_and_change_nothing_else(
    reader, corpus, standard, tmp_path
):
    heads = teach(reader, corpus, tmp_path)
    joint = read_with(heads, reader, corpus, standard, tmp_path / "joint.npz")
    assert any(
        not np.array_equal(joint[row].evidence.scores, case.evidence.scores)
        for row, case in standard.items()
    )
    for row, case in standard.items():
        assert (joint[row].drawn, joint[row].adversarial) == (case.drawn, case.adversarial)
        np.testing.assert_array_equal(joint[row].evidence.alone, case.evidence.alone)
        np.testing.assert_array_equal(joint[row].backbone, case.backbone)


def test_phase_2_moves_the_query_heads_and_nothing_of_reader_or_index(
    reader, corpus, table, tmp_path
):
    before = {name: value.clone() for name, value in reader.model.state_dict().items()}
    vectors = {head: rows.clone() for head, rows in corpus.vectors.items()}
    indexed = {head: corpus.view.vectors(head).copy() for head in HEADS}
    tokens, passages = table.tokens.clone(), table.passages.copy()
    frozen = copy.deepcopy(corpus.projections.state_dict())
    heads = teach(reader, corpus, tmp_path)
    assert before.keys() == reader.model.state_dict().keys()
    for name, value in reader.model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert all(weight.grad is None for weight in reader.model.parameters())
    for head, rows in corpus.vectors.items():
        assert torch.equal(rows, vectors[head])
        assert rows.grad is None
        np.testing.assert_array_equal(corpus.view.vectors(head), indexed[head])
    assert torch.equal(table.tokens, tokens)
    np.testing.assert_array_equal(table.passages, passages)
    for name, value in heads.state_dict().items():
        assert torch.equal(value, frozen[name]) is not name.startswith("query_heads"), name
        assert torch.equal(corpus.projections.state_dict()[name], frozen[name]), name
