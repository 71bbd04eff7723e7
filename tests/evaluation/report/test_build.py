"""The report: every figure against its own function, subsets, reproducibility, error texts."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from jomed_app.errors import RecordError
from jomed_app.evaluation.metrics import consistency, coverage
from jomed_app.evaluation.metrics import probabilities as metrics
from jomed_app.evaluation.report.build import (
    EvaluationReport,
    SystemScores,
    build_report,
    read_report,
    write_report,
)
from tests.evaluation.report.synthetic_scores import LABELS, make_cases

FIXED = {
    "task": "breast",
    "split": "test",
    "labels": LABELS,
    "positive_label": "malignant",
    "bundle": "bundle-1",
    "index": "simulated",
    "num_resamples": 60,
}
CASES = make_cases()


@pytest.fixture(scope="module")
def report() -> EvaluationReport:
    return build_report(CASES, **FIXED)


def test_figures_are_those_of_the_metric_functions(report) -> None:
    rows = np.array([case.systems["joint"].probabilities for case in CASES])
    labels = np.array([case.label for case in CASES])
    read = [case.systems["joint"].candidate_probabilities for case in CASES]
    joint = report.systems["joint"]
    assert joint.accuracy == metrics.accuracy(rows, labels)
    assert joint.auroc == metrics.binary_auroc(rows, labels, 2)
    assert joint.macro_f1 == metrics.macro_f1(rows, labels)
    hit = rows.argmax(1) == labels
    assert joint.recall == {name: hit[labels == k].mean() for k, name in enumerate(LABELS)}
    assert np.mean(list(joint.recall.values())) == pytest.approx(joint.balanced_accuracy)
    assert joint.nll == metrics.negative_log_likelihood(rows, labels)
    assert joint.inconsistent_rate == consistency.is_inconsistent(read).mean()
    assert joint.oracle_accuracy == consistency.oracle_accuracy(read, labels)
    assert joint.chance_oracle == pytest.approx(1 - (2 / 3) ** 4)
    assert joint.label_agreement_at_k == pytest.approx((3 + 3 + 2) / 3 / 4)
    assert joint.effective_candidates == pytest.approx(4)
    assert joint.aurc == coverage.risk_coverage_area(rows, labels)
    assert joint.coverage == coverage.coverage_curve(rows, labels)
    assert joint.seconds_per_case == 0.5
    assert (joint.mean_iou, joint.iou50, joint.false_boxes_per_normal) == (0.5, 1, 1)
    assert joint.accuracy_ci[0] <= joint.accuracy <= joint.accuracy_ci[1]
    assert sum(rate.num_cases for rate in joint.error_rates.values()) == len(CASES)
    assert (report.n, report.n_clean, report.n_groups) == (60, 54, 30)


def test_help_and_harm_count_the_same_cases_with_and_without(report) -> None:
    """Against a system that is `knn` under another name, `knn` itself changes nothing."""
    cases = [
        replace(case, systems=dict(case.systems) | {"image_alone": case.systems["knn"]})
        for case in CASES
    ]
    found = {(each.system, each.without): each for each in build_report(cases, **FIXED).effects}
    assert set(found) == {(name, "image_alone") for name in ("knn", "rag", "joint")}
    same, joint = found["knn", "image_alone"], found["joint", "image_alone"]
    assert (same.helped, same.harmed, same.help_ci) == (0, 0, (0, 0))
    gain = report.systems["joint"].accuracy - report.systems["knn"].accuracy
    assert joint.help_rate - joint.harm_rate == pytest.approx(gain)
    assert (joint.n, joint.helped) == (60, round(60 * joint.help_rate))
    assert joint.help_ci[0] <= joint.help_rate <= joint.help_ci[1]
    assert report.effects == (), "nothing was scored without known cases"


def test_candidates_that_know_are_counted_by_weight(report) -> None:
    joint = report.systems["joint"]
    assert list(joint.pass_at) == [1, 2, 4], "no case has eight candidates"
    assert joint.pass_at[4] == joint.oracle_accuracy
    assert joint.pass_at[1] <= joint.pass_at[2] <= joint.pass_at[4]
    assert report.systems["knn"].pass_at == {}


def test_agreement_is_measured_against_confidence_on_the_same_cases(report) -> None:
    found = report.systems["rag"].selective
    assert found.by_confidence == report.systems["rag"].aurc
    assert found.difference == pytest.approx(found.by_agreement - found.by_confidence)
    assert found.ci[0] <= found.difference <= found.ci[1]
    assert report.systems["knn"].selective is None


def test_inconsistent_subset_is_fixed_by_the_reference(report) -> None:
    read = [case.systems["rag"].candidate_probabilities for case in CASES]
    subset = np.flatnonzero(consistency.is_inconsistent(read))
    assert report.n_inconsistent == len(subset)
    for name in report.systems:
        right = [CASES[i].systems[name].probabilities.argmax() == CASES[i].label for i in subset]
        assert report.systems[name].inconsistent_accuracy == pytest.approx(np.mean(right))


def test_system_without_candidates_has_no_retrieval_figures(report) -> None:
    knn = report.systems["knn"]
    assert knn.oracle_accuracy is None
    assert knn.mean_iou is None
    assert knn.error_rates == {}
    assert knn.inconsistent_accuracy is not None


def test_differences_compare_with_the_reference(report) -> None:
    found = {(d.first, d.metric, d.subset): d for d in report.differences}
    assert {key[0] for key in found} == {"knn", "joint"}
    whole = found["joint", "accuracy", "all"]
    systems = report.systems
    assert whole.difference == pytest.approx(systems["joint"].accuracy - systems["rag"].accuracy)
    assert whole.ci[0] > 0, "a much better system must stand out"
    assert whole.mcnemar_p < 0.05
    assert (whole.first_only - whole.second_only) / 60 == pytest.approx(whole.difference)
    assert found["joint", "accuracy", "inconsistent"].n == report.n_inconsistent
    assert found["joint", "accuracy", "clean"].n == 54
    assert found["joint", "auroc", "all"].mcnemar_p is None


def test_a_system_against_its_copy_differs_by_nothing() -> None:
    twins = [
        replace(case, systems={"rag": case.systems["rag"], "copy": case.systems["rag"]})
        for case in CASES
    ]
    for difference in build_report(twins, **FIXED).differences:
        assert difference.difference == 0
        assert difference.ci == (0, 0)


def test_equal_seeds_give_an_equal_report(report) -> None:
    assert build_report(CASES, **FIXED) == report
    assert build_report(CASES, seed=1, **FIXED) != report


def test_without_the_reference_the_subset_is_left_out() -> None:
    found = build_report(CASES, reference_system="other", **FIXED)
    assert found.n_inconsistent is None
    assert found.reference_system is None
    assert found.differences == ()
    assert found.systems["joint"].inconsistent_accuracy is None
    asked = build_report(CASES, reference_system="knn", comparisons=[("joint", "rag")], **FIXED)
    assert asked.n_inconsistent is None
    assert {(d.first, d.second) for d in asked.differences} == {("joint", "rag")}


def test_one_class_only_leaves_auroc_out() -> None:
    found = build_report([case for case in CASES if case.label == 1], **FIXED)
    assert found.systems["rag"].auroc is None
    assert found.systems["rag"].auroc_ci is None
    assert found.systems["rag"].sensitivity is None
    assert found.systems["rag"].false_boxes_per_normal is None


def test_unreadable_boxes_lower_the_parse_rate() -> None:
    cases = [
        replace(
            case,
            systems={"rag": replace(case.systems["rag"], boxes=(), is_parsed=position % 4 > 0)},
        )
        for position, case in enumerate(CASES)
    ]
    rag = build_report(cases, **FIXED).systems["rag"]
    assert rag.parse_rate == 0.75
    assert rag.mean_iou == 0


def test_report_survives_the_file(report, tmp_path) -> None:
    path = tmp_path / "deep" / "report.json"
    write_report(report, path)
    assert read_report(path) == report
    stored = json.loads(path.read_text())
    assert stored["schema"] == "jomed.report/3"
    assert {
        "accuracy", "accuracy_ci", "macro_f1", "auroc", "ece", "inconsistent_rate",
        "inconsistent_accuracy", "oracle_accuracy", "chance_oracle", "label_agreement_at_k",
        "mean_iou", "iou50", "parse_rate", "seconds_per_case",
    } <= set(stored["systems"]["rag"])  # fmt: skip


def test_a_report_of_the_schema_before_can_be_read(report, tmp_path) -> None:
    path = tmp_path / "report.json"
    write_report(report, path)
    stored = json.loads(path.read_text())
    stored["schema"] = "jomed.report/1"
    for system in stored["systems"].values():
        del system["aurc"], system["coverage"], system["recall"]
    path.write_text(json.dumps(stored))
    old = read_report(path)
    assert {(system.aurc, system.coverage) for system in old.systems.values()} == {(None, None)}
    assert old.systems["rag"].recall == {}
    assert old.systems["rag"].accuracy == report.systems["rag"].accuracy


def test_damaged_reports_are_named(tmp_path) -> None:
    with pytest.raises(RecordError, match=r"found none at 'report\.json'"):
        read_report(tmp_path / "report.json")
    (tmp_path / "report.json").write_text('{"task": 3}')
    with pytest.raises(RecordError, match=r"must follow schema jomed\.report/3: task"):
        read_report(tmp_path / "report.json")


def _with_systems(**systems):
    return [replace(CASES[0], systems=systems)]


@pytest.mark.parametrize(
    ("cases", "change", "text"),
    [
        ([], {}, "one case or more"),
        ([CASES[0], CASES[0]], {}, "case ids must be unique"),
        (_with_systems(), {}, "one system or more"),
        ([*CASES[:1], replace(CASES[1], systems={})], {}, "case 1 holds"),
        ([replace(CASES[0], label=3)], {}, r"labels must lie in \[0, 3\), case 0 has 3"),
        (_with_systems(rag=SystemScores(np.array([1.0]))), {}, "must hold 3 classes"),
        (CASES, {"positive_label": "cyst"}, "positive_label must be one of"),
        (CASES, {"comparisons": [("joint", "none")]}, r"found \['none'\]"),
    ],
)
def test_errors_say_what_was_required(cases, change, text) -> None:
    with pytest.raises(ValueError, match=text):
        build_report(cases, **{**FIXED, **change})
