"""Rerankers: hand values, what the usefulness head learns, and the report of a run's readings."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.experiments.rerankers.conclude import ENSEMBLE, REFERENCE
from benchmarks.experiments.rerankers.report import page
from benchmarks.experiments.rerankers.rerank import (
    RERANKERS,
    fit_usefulness,
    rerank,
    usefulness_features,
)
from benchmarks.experiments.rerankers.run import main
from jomed_app.evaluation.held_out import HeldOutCase
from jomed_app.evaluation.report.schema import read_report
from jomed_app.inference.conclusion.evidence import Evidence
from tests.few_trials import few_trials
from tests.tiny_run import NUM_REAL


def case(said, scores=(1.0, 0.9, 0.8), labels=(0, 1, 1), plain=(0.5, 0.5)) -> HeldOutCase:
    said = np.log(np.array(said, dtype=float))
    return HeldOutCase(
        evidence=Evidence(
            candidates=said,
            scores=np.array(scores),
            is_text=np.zeros(3, dtype=bool),
            alone=np.log(np.array(plain)),
            neighbor_scores=np.array([0.9, 0.8, 0.7]),
            neighbor_labels=np.array([0, 1, 1]),
        ),
        labels=np.array(labels),
        backbone=np.log(np.array(plain)),
    )


UNSURE = [[0.6, 0.4], [0.1, 0.9], [0.45, 0.55]]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("rerank_confidence", [0.1, 0.9]),
        ("rerank_margin", [0.1, 0.9]),
        ("rerank_cosine", [0.6, 0.4]),
        ("self_consistency", [0.99 / 3 + 0.01 * 1.15 / 3, 0.99 * 2 / 3 + 0.01 * 1.85 / 3]),
    ],
)
def test_each_reranker_has_its_hand_value(name, expected):
    answers = rerank(case(UNSURE))
    assert tuple(answers) == RERANKERS
    np.testing.assert_allclose(answers[name].probabilities, expected)
    assert answers[name].weights.sum() == pytest.approx(1.0)


def test_the_order_of_the_candidates_changes_no_answer():
    one = case(UNSURE)
    order = [2, 0, 1]
    other = replace(
        one,
        evidence=replace(
            one.evidence,
            candidates=one.evidence.candidates[order],
            scores=one.evidence.scores[order],
            is_text=one.evidence.is_text[order],
        ),
        labels=one.labels[order],
    )
    for name in RERANKERS:
        first, second = rerank(one)[name], rerank(other)[name]
        np.testing.assert_allclose(first.probabilities, second.probabilities)


def drawn_cases(count=80):
    """The nearest candidate is right, the others guess the other label."""
    rng = np.random.default_rng(0)
    cases, labels = [], []
    for _ in range(count):
        label = int(rng.integers(2))
        right, wrong = np.eye(2)[label] * 0.6 + 0.2, np.eye(2)[1 - label] * 0.6 + 0.2
        cases.append(case([right, wrong, wrong], labels=(label, 1 - label, 1 - label)))
        labels.append(label)
    return cases, np.array(labels)


def test_usefulness_learns_which_candidate_to_trust():
    cases, labels = drawn_cases()
    head = fit_usefulness(cases[:40], labels[:40])
    answers = np.array([head.answer(each).probabilities.argmax() for each in cases[40:]])
    majority = np.array(
        [rerank(each)["self_consistency"].probabilities.argmax() for each in cases[40:]]
    )
    assert (answers == labels[40:]).mean() == 1.0
    assert (majority == labels[40:]).mean() == 0.0


def test_the_features_know_nothing_of_the_truth():
    """They are a function of the raw case, which holds no label of the query."""
    features = usefulness_features(case(UNSURE))
    assert features.shape == (3, 9)
    assert np.isfinite(features).all()
    np.testing.assert_allclose(features[:, 2], [0.6, 0.9, 0.55])
    np.testing.assert_allclose(features[:, 7], [1 / 3, 2 / 3, 2 / 3])


def test_where_all_candidates_are_right_all_count_alike():
    same = [case([[0.9, 0.1]] * 3)] * 4
    head = fit_usefulness(same, np.zeros(4, dtype=np.intp))
    np.testing.assert_allclose(head.answer(case(UNSURE)).weights, [1 / 3] * 3)
    np.testing.assert_allclose(head.answer(case(UNSURE)).probabilities, [1.15 / 3, 1.85 / 3])


def test_every_way_to_use_a_run_s_kept_answers_is_reported(tiny_run, tmp_path, monkeypatch, capsys):
    run = shutil.copytree(tiny_run, tmp_path / "run")

    def again(*args, **more):
        raise AssertionError("no reader is asked")

    monkeypatch.setattr("jomed_app.evaluation.folds.readings.read_fold", again)
    with few_trials():
        assert main([str(run)]) == 0
    assert capsys.readouterr().out == "report.gap.json\n"
    report = read_report(run / "cv" / "report.gap.json")
    assert (report.task, report.split, report.n) == ("breast-oracle-gap", "2-fold", NUM_REAL)
    systems = report.systems
    assert {REFERENCE, "useful", "joint_useful", *RERANKERS, ENSEMBLE} <= systems.keys()
    assert systems["rerank_cosine"].oracle_accuracy == systems[REFERENCE].oracle_accuracy
    assert {each.second for each in report.differences} == {REFERENCE}
    text = page({"breast": report}, {"breast": "Measured with a tiny run."})
    assert "Measured with a tiny run. `even` is right in" in text
    assert f"{REFERENCE} |" not in text.split("McNemar p")[1].split("\n")[0]


def test_a_run_whose_folds_were_not_read_says_what_to_do(tiny_run, tmp_path):
    (tmp_path / "bare").mkdir()
    shutil.copy2(tiny_run / "config.json", tmp_path / "bare")
    with pytest.raises(FileNotFoundError, match="must hold all folds read as `raw`, found a fold"):
        main([str(tmp_path / "bare")])
