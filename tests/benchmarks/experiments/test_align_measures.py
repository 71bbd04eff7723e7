"""Alignment figures: ranks by hand, probes that find what is there and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.experiments.align.measures import (
    partner_ranks,
    probe_hits,
    question_hits,
    recall_hits,
)

EYE = np.eye(4, dtype=np.float32)


def test_ranks_by_hand():
    queries = np.array([[1, 0], [0, 1], [0.6, 0.8]], dtype=np.float32)
    keys = np.array([[1, 0], [0.8, 0.6], [0, 1]], dtype=np.float32)
    texts = np.eye(3, dtype=np.float32)
    assert partner_ranks(queries, keys, texts).tolist() == [1, 2, 2]


def test_cases_worded_alike_are_partners_of_each_other():
    queries, keys = EYE[[0, 0]], EYE[[1, 0]]
    assert partner_ranks(queries, keys, EYE[:2]).tolist() == [2, 1]
    assert partner_ranks(queries, keys, EYE[[2, 2]]).tolist() == [1, 1]


def test_recall_counts_both_directions():
    hits = recall_hits(EYE, EYE[[0, 1, 3, 2]], EYE)
    assert hits["recall@1"].tolist() == [True, True, False, False] * 2
    assert hits["recall@5"].all()


@pytest.mark.parametrize(("signal", "low", "high"), [(3.0, 0.9, 1.0), (0.0, 0.2, 0.5)])
def test_probes_find_a_signal_and_no_other(signal, low, high):
    rng = np.random.default_rng(0)
    labels = np.arange(150) % 3
    features = rng.normal(size=(150, 8)).astype(np.float32)
    features[np.arange(150), labels] += signal
    for name, hits in probe_hits(features, labels.astype(np.intp), np.arange(150) // 30).items():
        assert low <= hits.mean() <= high, name


def test_questions_are_answered_from_the_image():
    """The answer is which of two features is on; the question says which pair counts."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(800, 4, generator=generator)
    asked = torch.randint(2, (800,), generator=generator)
    questions = torch.nn.functional.one_hot(asked, 2).float()
    value = features[torch.arange(800), 2 * asked] > 0
    answers = ["Yes" if each else "no " for each in value.tolist()]
    is_training = np.arange(800) < 600
    hits = question_hits(features, questions, answers, is_training)
    assert len(hits) == 200
    assert hits.mean() > 0.8
    blind = question_hits(torch.randn(800, 4, generator=generator), questions, answers, is_training)
    assert blind.mean() < 0.65


def test_an_answer_never_seen_counts_as_wrong():
    features, questions = torch.zeros(20, 2), torch.zeros(20, 2)
    answers = ["a"] * 10 + ["b"] * 10
    hits = question_hits(features, questions, answers, np.arange(20) < 10, steps=2)
    assert not hits.any()
