"""Tables of help and harm, of candidates that know and of warnings that tell."""

from __future__ import annotations

from dataclasses import replace

from jomed_app.evaluation.report.build import build_report
from jomed_app.evaluation.report.pages.effects import effects_table, pass_table, selective_table
from tests.evaluation.report.pages.made_reports import make_report
from tests.evaluation.report.synthetic_scores import LABELS, make_cases
from tests.markdown_tables import cells


def test_help_and_harm_are_told_pair_by_pair():
    cases = [
        replace(case, systems=dict(case.systems) | {"no_retrieval": case.systems["knn"]})
        for case in make_cases(30)
    ]
    report = build_report(
        cases, task="breast", split="test", labels=LABELS, positive_label="malignant", bundle="b",
        index="i", num_resamples=20,
    )  # fmt: skip
    rows = cells(effects_table(report))[1:]
    assert [row[0] for row in rows] == [
        f"{name} against no_retrieval" for name in ("knn", "rag", "joint")
    ]
    assert rows[0][1:3] == ["30", "0 / 0"]
    assert effects_table(make_report()) == ""


def test_only_systems_with_candidates_pass_at_k():
    header, *rows = cells(pass_table(make_report()))
    assert header == ["system", "K = 1", "K = 2", "K = 4", "all, guessed"]
    assert [row[0] for row in rows] == ["rag", "joint"]
    assert rows[0][-1] == f"{1 - (2 / 3) ** 4:.3f}"


def test_agreement_stands_beside_confidence():
    report = make_report()
    rows = cells(selective_table(report))[1:]
    assert [row[0] for row in rows] == ["rag", "joint"]
    assert rows[0][1] == f"{report.systems['rag'].aurc:.3f}"
