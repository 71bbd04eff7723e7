"""A line of a claim says what its figures say, and no more."""

from __future__ import annotations

import pytest

from benchmarks.claims.rows import Evaluated, Source, against_goal, line
from benchmarks.kept import KeptReports, Measured
from tests.evaluation.report.pages.made_reports import make_report

SOURCE = Source("report", "page.md", "7 cases")


@pytest.mark.parametrize(
    ("interval", "lower_is_better", "says"),
    [
        ((0.01, 0.05), False, "ahead"),
        ((-0.05, -0.01), False, "behind"),
        ((-0.01, 0.05), False, "level"),
        ((0.0, 0.05), False, "level"),
        ((0.01, 0.05), True, "behind"),
        ((-0.05, -0.01), True, "ahead"),
    ],
)
def test_ahead_or_behind_needs_an_interval_without_zero(interval, lower_is_better, says):
    row = line(
        SOURCE, "w", 0.5, 0.48, "b", difference=0.02, difference_interval=interval,
        lower_is_better=lower_is_better,
    )  # fmt: skip
    assert row.says == says
    assert row.difference == f"+0.020 [{interval[0]:+.3f}, {interval[1]:+.3f}]"


@pytest.mark.parametrize(
    ("value", "lower_is_better", "word"),
    [(0.5, False, "better"), (0.4, False, "worse"), (0.45, False, "equal"), (0.4, True, "better")],
)
def test_without_an_interval_only_the_higher_figure_is_named(value, lower_is_better, word):
    row = line(SOURCE, "w", value, 0.45, "b", lower_is_better=lower_is_better)
    assert row.says == f"{word}, no interval kept"
    assert row.difference == "–"


def test_a_figure_that_nobody_computed_says_nothing():
    row = line(SOURCE, "w", None, 0.4, "b")
    assert (row.figure, row.reference, row.says) == ("–", "0.400", "–")


def test_units_scale_and_interval():
    row = line(SOURCE, "w", 0.411, 0.46, "b", interval=(0.4, 0.42), scale=100, digits=1, unit=" %")
    assert (row.figure, row.interval, row.reference) == ("41.1 %", "40.0 % to 42.0 %", "46.0 %")


@pytest.mark.parametrize(
    ("value", "lower_is_better", "says"), [(7.6, False, "missed"), (9.2, True, "missed"),
                                           (8.0, False, "met"), (8.0, True, "met")]
)  # fmt: skip
def test_a_goal_is_met_or_missed(value, lower_is_better, says):
    row = against_goal(
        SOURCE, "w", value, 8.0, digits=1, unit=" s", lower_is_better=lower_is_better
    )
    assert (row.says, row.reference) == (says, "8 s")


@pytest.fixture
def kept(tmp_path) -> KeptReports:
    kept = KeptReports(tmp_path)
    report = make_report(comparisons=[("joint", "rag")])
    kept.keep("breast.report", report.model_dump(mode="json", by_alias=True), Measured())
    return kept


def test_figures_come_from_the_report(kept):
    report = make_report(comparisons=[("joint", "rag")])
    (row,) = Evaluated(kept, "breast.report", "p.md").row("accuracy", "joint", "rag")
    own = report.systems["joint"]
    assert row.figure == f"{own.accuracy:.3f}"
    assert row.interval == f"{own.accuracy_ci[0]:.3f} to {own.accuracy_ci[1]:.3f}"
    assert row.reference == f"{report.systems['rag'].accuracy:.3f}"
    assert row.difference.startswith(f"{report.differences[0].difference:+.3f} [")
    assert (row.count, row.what, row.baseline) == ("30 cases", "accuracy: `joint`", "`rag`")
    (other,) = Evaluated(kept, "breast.report", "p.md").row("accuracy", "rag", "knn")
    assert other.says.endswith("no interval kept"), "this pair was not compared"


def test_the_recall_of_a_label_and_figures_without_an_interval(kept):
    report = make_report(comparisons=[("joint", "rag")])
    breast = Evaluated(kept, "breast.report", "p.md")
    (row,) = breast.row("normal found", "joint", "rag", "recall", label="normal")
    assert row.figure == f"{report.systems['joint'].recall['normal']:.3f}"
    assert row.interval == "–"


def test_what_is_not_kept_has_no_line(kept):
    assert Evaluated(kept, "retina.report", "p.md").row("accuracy", "joint", "rag") == []
    assert Evaluated(kept, "breast.report", "p.md").row("accuracy", "joint", "gone") == []
