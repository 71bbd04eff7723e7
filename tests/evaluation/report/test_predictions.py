"""Predictions beside a report: one row a case and system, enough to recompute a figure."""

from __future__ import annotations

import numpy as np
import pytest

from jomed_app.errors import RecordError
from jomed_app.evaluation.metrics.free_answers import AnsweredQuestion
from jomed_app.evaluation.report.build import build_report
from jomed_app.evaluation.report.predictions import (
    predictions_file,
    read_predictions,
    write_answers,
    write_predictions,
)
from jomed_app.evaluation.report.scores import CaseScores
from jomed_app.evaluation.systems import conclude_systems
from jomed_app.inference.calibration.profile import Profile
from tests.evaluation.folds.drawn_readings import draw_readings

LABELS = ("normal", "benign", "malignant")


@pytest.fixture
def cases():
    drawn, labels = draw_readings(12)
    return [
        CaseScores(f"c{place}", f"g{place // 2}", int(label), conclude_systems(case, Profile()))
        for place, (case, label) in enumerate(zip(drawn, labels, strict=True))
    ]


def test_the_report_s_accuracy_can_be_recomputed(cases, tmp_path):
    report = build_report(
        cases, task="t", split="s", labels=LABELS, positive_label="malignant", bundle="b",
        index="i", num_resamples=5,
    )  # fmt: skip
    path = tmp_path / "deep" / "report.json"
    assert write_predictions(path, cases, LABELS) == predictions_file(path)
    table = read_predictions(path)
    assert table.schema.metadata[b"labels"].decode().split("\n") == list(LABELS)
    for name, system in report.systems.items():
        rows = [row for row in table.to_pylist() if row["system"] == name]
        right = [row["prediction"] == row["truth"] for row in rows]
        assert len(rows) == len(cases)
        assert np.mean(right) == pytest.approx(system.accuracy)
        for row in rows:
            assert sum(row["probabilities"]) == pytest.approx(1.0)
            assert row["prediction"] == LABELS[int(np.argmax(row["probabilities"]))]


def test_what_a_system_does_not_have_is_empty(cases, tmp_path):
    write_predictions(tmp_path / "report.json", cases, LABELS)
    rows = read_predictions(tmp_path / "report.json").to_pylist()
    knn = next(row for row in rows if row["system"] == "knn")
    rag = next(row for row in rows if row["system"] == "rag")
    assert (knn["state"], knn["weights"], knn["candidate_labels"]) == (None, None, None)
    assert rag["state"] in {"consistent", "mixed", "disagree"}
    assert sum(rag["weights"]) == pytest.approx(1.0)
    assert set(rag["candidate_labels"]) <= set(LABELS)


def test_answers_to_questions_are_kept_too(tmp_path):
    asked = [AnsweredQuestion("g", "Where?", "liver", False, {"rag": "lung", "copied": "liver"})]
    write_answers(tmp_path / "report.json", asked)
    rows = read_predictions(tmp_path / "report.json").to_pylist()
    assert [(row["system"], row["answer"]) for row in rows] == [
        ("rag", "lung"),
        ("copied", "liver"),
    ]
    assert rows[0]["has_twin"] is None


def test_without_predictions_the_way_out_is_said(tmp_path):
    with pytest.raises(RecordError, match=r"found no 'report.predictions.parquet'; run evaluate"):
        read_predictions(tmp_path / "report.json")
