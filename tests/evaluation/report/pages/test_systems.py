"""The tables of a report: numbers come from it, gaps are dashes, nothing is claimed beyond it."""

from __future__ import annotations

from jomed_app.evaluation.report.pages.systems import (
    consistency_table,
    differences_table,
    has_clean_figures,
    localization_table,
    probabilities_table,
    recall_table,
    results_table,
    states_table,
)
from tests.evaluation.report.pages.made_reports import make_report
from tests.evaluation.report.synthetic_scores import LABELS
from tests.markdown_tables import cells

REPORT = make_report()


def test_results_table_states_the_report_s_numbers() -> None:
    header, *rows = cells(results_table(REPORT))
    assert header[:2] == ["system", "accuracy"]
    assert [row[0] for row in rows] == ["knn", "rag", "joint"]
    rag = REPORT.systems["rag"]
    low, high = rag.accuracy_ci
    assert rows[1][1] == f"{rag.accuracy:.3f} [{low:.3f}, {high:.3f}]"
    assert rows[0][header.index("s per case")] == "–"
    assert all(len(row) == len(header) for row in rows)


def test_clean_figures_are_shown_where_near_duplicates_were_looked_for() -> None:
    assert has_clean_figures(REPORT)
    header, *rows = cells(results_table(REPORT))
    column = header.index("accuracy, clean")
    assert [row[column] for row in rows] == [
        f"{each.accuracy_clean:.3f}" for each in REPORT.systems.values()
    ]
    assert "clean" in [row[2] for row in cells(differences_table(REPORT))[1:]]
    for index in ("other-folds", "simulated-index"):
        folds = REPORT.model_copy(update={"index": index})
        assert not has_clean_figures(folds)
        assert "accuracy, clean" not in cells(results_table(folds))[0]
        assert "clean" not in [row[2] for row in cells(differences_table(folds))[1:]]


def test_right_answers_are_told_label_by_label() -> None:
    header, *rows = cells(recall_table(REPORT))
    assert header == ["system", *LABELS]
    recall = REPORT.systems["rag"].recall
    assert rows[1] == ["rag", *(f"{recall[label]:.3f}" for label in LABELS)]
    old = {name: each.model_copy(update={"recall": {}}) for name, each in REPORT.systems.items()}
    assert recall_table(REPORT.model_copy(update={"systems": old})) == ""


def test_systems_without_candidates_or_boxes_are_left_out() -> None:
    for table in (consistency_table(REPORT), localization_table(REPORT)):
        assert [row[0] for row in cells(table)[1:]] == ["rag", "joint"]


def test_differences_and_states_name_every_entry() -> None:
    header, *rows = cells(differences_table(REPORT))
    assert all(len(row) == len(header) for row in rows)
    assert len(rows) == len(REPORT.differences)
    assert rows[0][0] == "knn − rag"
    assert rows[0][4].startswith(f"{REPORT.differences[0].difference:+.3f} [")
    states = cells(states_table(REPORT))[1:]
    total = sum(int(row[2]) for row in states)
    assert total == 2 * REPORT.n


def test_what_a_report_does_not_hold_has_no_table() -> None:
    lone = make_report(reference_system="none")
    assert differences_table(lone) == ""
    bare = {
        name: each.model_copy(update={"error_rates": {}}) for name, each in REPORT.systems.items()
    }
    assert states_table(REPORT.model_copy(update={"systems": bare})) == ""


def test_bars_in_names_do_not_break_a_table() -> None:
    renamed = REPORT.model_copy(update={"systems": {"a|b": REPORT.systems["rag"]}})
    assert cells(results_table(renamed))[1][0] == "a\\|b"


def test_the_area_under_risk_and_coverage_is_in_the_table() -> None:
    header, *rows = cells(probabilities_table(REPORT))
    column = header.index("AURC")
    assert [row[column] for row in rows] == [f"{s.aurc:.3f}" for s in REPORT.systems.values()]
    old = {
        name: system.model_copy(update={"coverage": None, "aurc": None})
        for name, system in REPORT.systems.items()
    }
    before = REPORT.model_copy(update={"systems": old, "schema_": "jomed.report/1"})
    assert "AURC" not in cells(probabilities_table(before))[0]
