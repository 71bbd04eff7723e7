"""Markdown pages: numbers come from the report, gaps are dashes, the same report the same page."""

from __future__ import annotations

import pytest

from jomed_app.errors import RecordError
from jomed_app.evaluation.report.build import build_report, write_report
from jomed_app.evaluation.report.pages import (
    consistency_table,
    differences_table,
    localization_table,
    markdown,
    page_name,
    probabilities_table,
    recall_table,
    results_table,
    seeds_table,
    states_table,
    write_results,
)
from jomed_app.evaluation.systems import ADVERSARIAL
from tests.evaluation.report.synthetic_scores import LABELS, make_cases


def make_report(seed: int = 0, count: int = 30, **changes):
    fixed = {
        "task": "breast",
        "split": "test",
        "labels": LABELS,
        "positive_label": "malignant",
        "bundle": "bundle 1/a",
        "index": "simulated",
        "seed": seed,
        "num_resamples": 20,
    }
    return build_report(make_cases(count, seed=seed), **{**fixed, **changes})


REPORT = make_report()


def cells(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in table.splitlines()]


def test_results_table_states_the_report_s_numbers() -> None:
    header, rule, *rows = cells(results_table(REPORT))
    assert header[:2] == ["system", "accuracy"]
    assert set(rule) == {"---"}
    assert [row[0] for row in rows] == ["knn", "rag", "joint"]
    rag = REPORT.systems["rag"]
    low, high = rag.accuracy_ci
    assert rows[1][1] == f"{rag.accuracy:.3f} [{low:.3f}, {high:.3f}]"
    assert rows[0][header.index("s per case")] == "–"
    assert all(len(row) == len(header) for row in rows)


def test_right_answers_are_told_label_by_label() -> None:
    header, _, *rows = cells(recall_table(REPORT))
    assert header == ["system", *LABELS]
    recall = REPORT.systems["rag"].recall
    assert rows[1] == ["rag", *(f"{recall[label]:.3f}" for label in LABELS)]
    old = {name: each.model_copy(update={"recall": {}}) for name, each in REPORT.systems.items()}
    assert recall_table(REPORT.model_copy(update={"systems": old})) == ""


def test_systems_without_candidates_or_boxes_are_left_out() -> None:
    for table in (consistency_table(REPORT), localization_table(REPORT)):
        assert [row[0] for row in cells(table)[2:]] == ["rag", "joint"]


def test_differences_and_states_name_every_entry() -> None:
    header, _, *rows = cells(differences_table(REPORT))
    assert all(len(row) == len(header) for row in rows)
    assert len(rows) == len(REPORT.differences)
    assert rows[0][0] == "knn − rag"
    assert rows[0][4].startswith(f"{REPORT.differences[0].difference:+.3f} [")
    states = cells(states_table(REPORT))[2:]
    total = sum(int(row[2]) for row in states)
    assert total == 2 * REPORT.n


def test_page_holds_the_counts_and_the_warning() -> None:
    page = markdown(REPORT)
    assert "not a medical device" in page
    assert f"cases: {REPORT.n} in {REPORT.n_groups} groups; {REPORT.n_clean} without" in page
    assert page.count("## ") == 7


def test_a_page_says_what_the_truth_chose() -> None:
    assert ADVERSARIAL not in markdown(REPORT)
    told = REPORT.model_copy(update={"systems": {ADVERSARIAL: REPORT.systems["rag"]}})
    assert f"- `{ADVERSARIAL}`: chosen by the true label" in markdown(told)


def test_empty_sections_disappear() -> None:
    lone = make_report(reference_system="none")
    assert differences_table(lone) == ""
    assert "Differences" not in markdown(lone)
    assert "disagree): –" in markdown(lone)


def test_bars_in_names_do_not_break_a_table() -> None:
    renamed = REPORT.model_copy(update={"systems": {"a|b": REPORT.systems["rag"]}})
    assert "| a\\|b |" in results_table(renamed)


def test_page_names_are_plain() -> None:
    assert page_name(REPORT) == "breast-test-simulated-bundle-1-a-seed0"


def test_seeds_are_averaged() -> None:
    second = make_report(seed=1)
    row = cells(seeds_table([REPORT, second]))[2]
    values = [report.systems["knn"].accuracy for report in (REPORT, second)]
    assert row[3:5] == ["knn", "2"]
    assert row[5] == f"{sum(values) / 2:.3f} ± {abs(values[0] - values[1]) / 2**0.5:.3f}"
    assert seeds_table([REPORT]) == ""


def test_pages_and_plots_are_the_same_twice(tmp_path) -> None:
    pytest.importorskip("matplotlib", reason="plots need the development tools")
    for seed in range(2):
        write_report(make_report(seed=seed), tmp_path / f"{seed}.json")
    reports = [tmp_path / "0.json", tmp_path / "1.json"]
    first = {path.name: path.read_bytes() for path in write_results(reports, tmp_path / "a")}
    second = {path.name: path.read_bytes() for path in write_results(reports, tmp_path / "b")}
    assert first == second
    assert len(first) == 11
    page = first["breast-test-simulated-bundle-1-a-seed0.md"].decode()
    for name in first:
        if name.endswith(".svg") and "seed0" in name:
            assert f"]({name})" in page
        if name.endswith("seed0-accuracy.svg"):
            assert b"accuracy, breast test, n = 30" in first[name]


def test_a_report_of_the_schema_before_has_no_curve(tmp_path) -> None:
    pytest.importorskip("matplotlib", reason="plots need the development tools")
    old = {
        name: system.model_copy(update={"coverage": None, "aurc": None})
        for name, system in REPORT.systems.items()
    }
    report = REPORT.model_copy(update={"systems": old, "schema_": "jomed.report/1"})
    write_report(report, tmp_path / "r.json")
    page, *plots = write_results([tmp_path / "r.json"], tmp_path / "out")
    parts = [path.stem.rsplit("-", 1)[-1] for path in plots]
    assert parts == ["accuracy", "reliability", "states"]
    assert "AURC" not in page.read_text()


def test_the_area_under_risk_and_coverage_is_in_the_table() -> None:
    header, _, *rows = cells(probabilities_table(REPORT))
    column = header.index("AURC")
    assert [row[column] for row in rows] == [f"{s.aurc:.3f}" for s in REPORT.systems.values()]


def test_two_reports_for_one_page_are_refused(tmp_path) -> None:
    write_report(REPORT, tmp_path / "r.json")
    with pytest.raises(ValueError, match="a page of its own"):
        write_results([tmp_path / "r.json"] * 2, tmp_path / "out")


def test_missing_report_is_named(tmp_path) -> None:
    with pytest.raises(RecordError, match=r"found none at 'gone\.json'"):
        write_results([tmp_path / "gone.json"], tmp_path / "out")
