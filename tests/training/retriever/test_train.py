from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from jomed_app.config.training import RetrieverTrainingConfig
from jomed_app.errors import CandidatesIgnoredError
from jomed_app.models.retriever.embedded import RetrieverConfig, RetrieverProjections
from jomed_app.models.retriever.query_heads import HEADS
from jomed_app.training.retriever.train import TaughtQueries, train_query_heads

DIM, FEATURES, QUERIES, CORPUS = 8, 12, 24, 10
CONFIG = RetrieverTrainingConfig(steps=60, batch_size=24, lr=5e-2, weight_decay=0.0)


@pytest.fixture
def projections():
    torch.manual_seed(0)
    config = RetrieverConfig(feature_size=FEATURES, passage_size=4, dim=DIM, query_mix=1.0)
    return RetrieverProjections(config).train(False)


@pytest.fixture
def corpus():
    torch.manual_seed(1)
    rows = torch.nn.functional.normalize(torch.randn(CORPUS, DIM), dim=-1)
    return {head: rows for head in HEADS}


@pytest.fixture
def taught():
    """Two labels; candidates 0-4 lead to label 0 for every query, 5-9 to label 1."""
    generator = torch.Generator().manual_seed(2)
    labels = torch.arange(QUERIES) % 2
    features = torch.randn(QUERIES, FEATURES, generator=generator)
    features[:, 0] += 3.0 * (2 * labels - 1)
    said = torch.tensor([[0.9, 0.1]] * 5 + [[0.1, 0.9]] * 5).log()
    return TaughtQueries(
        features,
        torch.arange(CORPUS).repeat(QUERIES, 1),
        torch.ones(QUERIES, CORPUS, dtype=torch.bool),
        said.repeat(QUERIES, 1, 1),
        labels,
    )


def gold_mass(projections, taught, corpus, head):
    """Share of the retriever's mass on candidates that lead to the right answer."""
    with torch.no_grad():
        queries = projections.embed_query(taught.features, head)
    said = (queries @ corpus[head].T / CONFIG.score_temperature).softmax(-1)
    return float((said * (taught.gold > np.log(0.5))).sum(-1).mean())


@pytest.mark.parametrize("target", ["posterior", "released"])
def test_heads_learn_to_find_candidates_that_help(projections, taught, corpus, tmp_path, target):
    config = CONFIG.replaced(target=target)
    before = {head: gold_mass(projections, taught, corpus, head) for head in HEADS}
    logs = train_query_heads(projections, taught, corpus, config, tmp_path)
    for head in HEADS:
        assert logs[head][-1]["loss"] < logs[head][0]["loss"]
        assert gold_mass(projections, taught, corpus, head) > before[head] + 0.2


def test_nothing_but_the_heads_moves(projections, taught, corpus, tmp_path):
    frozen = copy.deepcopy(projections.state_dict())
    vectors = corpus["image"].clone()
    train_query_heads(projections, taught, corpus, CONFIG, tmp_path)
    for name, value in projections.state_dict().items():
        same = torch.equal(value, frozen[name])
        assert same is not name.startswith("query_heads"), name
    assert torch.equal(corpus["image"], vectors)
    assert not any(each.requires_grad for each in projections.query_heads.parameters())


def test_before_the_first_step_the_search_is_the_frozen_one(projections, taught):
    for head in HEADS:
        base = projections.embed_features(taught.features, head)
        assert torch.equal(projections.embed_query(taught.features, head), base)


def test_an_interrupted_run_ends_like_an_unbroken_one(projections, taught, corpus, tmp_path):
    other = copy.deepcopy(projections)
    train_query_heads(projections, taught, corpus, CONFIG, tmp_path / "one")
    train_query_heads(other, taught, corpus, CONFIG, tmp_path / "two")
    again = train_query_heads(
        copy.deepcopy(other), taught, corpus, CONFIG, tmp_path / "two", resume=True
    )
    assert all(log == [] for log in again.values()), "both heads are at their last step"
    for head in HEADS:
        assert torch.equal(projections.query_heads[head].weight, other.query_heads[head].weight)


def test_a_reader_that_ignores_its_candidates_is_refused(projections, taught, corpus, tmp_path):
    flat = TaughtQueries(
        taught.features,
        taught.candidates,
        taught.keep_mask,
        torch.full_like(taught.log_prob, -np.log(2.0)),
        taught.labels,
    )
    assert flat.variance == 0.0
    with pytest.raises(CandidatesIgnoredError, match="the reader ignores its candidates"):
        train_query_heads(projections, flat, corpus, CONFIG, tmp_path)


def test_offsets_shift_the_softmax(projections, taught, tmp_path):
    """Two equal candidates, one ahead by T ln 3: shares 3/4 and 1/4 in place of halves."""
    two = TaughtQueries(
        taught.features[:2],
        torch.tensor([[0, 1], [0, 1]]),
        torch.ones(2, 2, dtype=torch.bool),
        torch.tensor([[0.9, 0.1], [0.1, 0.9]]).log().expand(2, 2, 2),
        torch.zeros(2, dtype=torch.long),
        torch.tensor([[CONFIG.score_temperature * np.log(3.0), 0.0]]).float().expand(2, 2),
    )
    equal = {head: torch.full((CORPUS, DIM), DIM**-0.5) for head in HEADS}
    config = CONFIG.replaced(prior="uniform", steps=1, batch_size=2)  # the target: 0.9 and 0.1
    for queries, first in ((two, 0.75), (replace(two, offsets=None), 0.5)):
        heads = copy.deepcopy(projections)
        expected = 0.9 * np.log(0.9 / first) + 0.1 * np.log(0.1 / (1 - first))
        log = train_query_heads(heads, queries, equal, config, tmp_path, order=("image",))
        assert log["image"][0]["loss"] == pytest.approx(expected, abs=1e-5)


def test_a_head_that_is_not_in_the_order_is_left_alone(projections, taught, corpus, tmp_path):
    before = {head: projections.query_heads[head].weight.clone() for head in HEADS}
    log = train_query_heads(projections, taught, corpus, CONFIG, tmp_path, order=("image",))
    assert list(log) == ["image"]
    assert torch.equal(projections.query_heads["text"].weight, before["text"])
    assert not torch.equal(projections.query_heads["image"].weight, before["image"])
    assert not (tmp_path / "text").exists()


def test_the_variance_is_that_of_the_true_answer(taught):
    """Half of the candidates give log 0.9 to the truth, half log 0.1."""
    expected = ((np.log(0.9) - np.log(0.1)) / 2) ** 2
    assert taught.variance == pytest.approx(expected, rel=1e-5)
