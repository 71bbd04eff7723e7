"""Jointly optimised retrieval: where it starts, what it leaves alone, and what the cache says."""

from __future__ import annotations

import copy
import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from jomed_app.config.load import JomedConfig
from jomed_app.config.training import RetrieverTrainingConfig
from jomed_app.evaluation.folds.joint import JOINT_NAMES, beside, read_joint
from jomed_app.evaluation.folds.read_fold import read_fold, view_of
from jomed_app.evaluation.report.scores import CaseScores
from jomed_app.evaluation.systems import SYSTEMS, ScoringSettings, conclude_systems
from jomed_app.models.retriever.embedded import HEADS
from jomed_app.training.cases.table_reader import TableReader
from jomed_app.training.retriever.answer_cache import AnswerCache
from jomed_app.training.retriever.stage import FoldCorpus, teach_heads
from tests.evaluation.folds.drawn_readings import draw_reading
from tests.evaluation.noise_table import POSITION_DIM, TASK, noise_table
from tests.tiny_models import build_tiny_reader

FOLD = 1
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


@pytest.fixture(scope="module")
def raw(reader, table):
    """What the frozen retriever's candidates lead to."""
    work = SimpleNamespace(task=TASK, config=JomedConfig())
    return read_fold(reader, work, table, FOLD, table.tokens[table.real], misleads=True)


@pytest.fixture
def corpus(table):
    return FoldCorpus(table, FOLD)


def read_with(heads, reader, corpus, raw, path):
    table = corpus.table
    return read_joint(
        TableReader(reader, TASK, table),
        corpus,
        heads,
        AnswerCache(path, "key"),
        raw,
        view_of(table, TASK, POSITION_DIM),
        JomedConfig().index.k_per_head,
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


def test_at_step_0_the_scores_are_those_of_the_frozen_search_bit_by_bit(corpus, table):
    untrained = copy.deepcopy(corpus.projections)
    assert untrained.config.query_mix > 0, "the heads take part"
    for row in table.held_out_rows(FOLD):
        allowed, scores = corpus.scores(untrained, int(row))
        with torch.no_grad():
            for head in HEADS:
                base = untrained.embed_features(table.features[row][None], head)[0]
                frozen = (corpus.vectors[head][torch.from_numpy(allowed)] @ base).numpy()
                np.testing.assert_array_equal(scores[head], frozen)


def test_at_step_0_joint_retrieval_finds_what_the_frozen_one_finds(reader, corpus, raw, tmp_path):
    joint = read_with(copy.deepcopy(corpus.projections), reader, corpus, raw, tmp_path / "a.npz")
    assert joint.keys() == raw.keys()
    for row, case in raw.items():
        for name in ("retrieved_labels", "is_text", "neighbor_labels"):
            np.testing.assert_array_equal(getattr(joint[row], name), getattr(case, name))
        for name in ("scores", "neighbor_scores"):  # two orders of the same sums
            np.testing.assert_allclose(getattr(joint[row], name), getattr(case, name), 1e-5)


def test_cached_and_uncached_scores_agree(reader, corpus, raw, tmp_path):
    """The cache reads other candidates in the same sequence, and keeps single precision."""
    joint = read_with(copy.deepcopy(corpus.projections), reader, corpus, raw, tmp_path / "a.npz")
    for row, case in raw.items():
        np.testing.assert_allclose(joint[row].retrieved, case.retrieved, atol=1e-5, rtol=0)


def test_trained_heads_find_other_candidates(reader, corpus, raw, tmp_path):
    heads = teach(reader, corpus, tmp_path)
    joint = read_with(heads, reader, corpus, raw, tmp_path / "joint.npz")
    assert any(not np.array_equal(joint[row].scores, case.scores) for row, case in raw.items())
    for row, case in raw.items():
        for name in ("drawn", "plain", "backbone", "adversarial"):
            np.testing.assert_array_equal(getattr(joint[row], name), getattr(case, name))


def test_phase_2_moves_the_query_heads_and_nothing_of_reader_or_index(
    reader, corpus, table, tmp_path
):
    before = {name: value.clone() for name, value in reader.model.state_dict().items()}
    vectors = {head: rows.clone() for head, rows in corpus.vectors.items()}
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
    assert torch.equal(table.tokens, tokens)
    np.testing.assert_array_equal(table.passages, passages)
    for name, value in heads.state_dict().items():
        assert torch.equal(value, frozen[name]) is not name.startswith("query_heads"), name
        assert torch.equal(corpus.projections.state_dict()[name], frozen[name]), name


def test_trained_systems_stand_beside_the_frozen_ones():
    one, other = (draw_reading(1, np.random.default_rng(seed)) for seed in range(2))
    said = [conclude_systems(case, ScoringSettings()) for case in (one, other)]
    cases = [CaseScores("c", "g", 1, systems) for systems in said]
    (both,) = beside(cases[:1], cases[1:])
    assert tuple(both.systems) == (*SYSTEMS, *JOINT_NAMES.values())
    for own, name in JOINT_NAMES.items():
        assert both.systems[name] is said[1][own]
        assert both.systems[own] is said[0][own]
    with pytest.raises(ValueError, match="shorter"):
        beside(cases, [dataclasses.replace(cases[0])])
