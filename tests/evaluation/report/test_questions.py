"""The report on free answers: figures by hand, and the file."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from jomed_app.errors import RecordError
from jomed_app.evaluation.metrics.free_answers import AnsweredQuestion
from jomed_app.evaluation.report.questions import (
    VqaReport,
    build_vqa_report,
    read_vqa_report,
)
from jomed_app.evaluation.report.schema import write_report


def asked(group, reference, plain, rag, is_closed, is_inconsistent=False):
    answers = {"no_retrieval": plain, "rag": rag}
    return AnsweredQuestion(group, "?", reference, is_closed, answers, is_inconsistent)


def told(questions, twins, **more):
    """The same questions, of images with or without a twin, with more systems' answers."""
    return [
        replace(
            one,
            has_twin=one.group in twins,
            answers=one.answers | {name: said[place] for name, said in more.items()},
        )
        for place, one in enumerate(questions)
    ]


QUESTIONS = [
    asked("a", "left lung", "lung", "left lung", False, True),
    asked("b", "liver", "heart", "liver", False),
    asked("b", "yes", "no", "yes", True),
    asked("c", "no", "no", "yes", True, True),
]


@pytest.fixture(scope="module")
def report() -> VqaReport:
    return build_vqa_report(
        QUESTIONS, task="slake", split="val", bundle="b 1", index="i", seconds=2.0, num_resamples=50
    )


def test_figures_by_hand(report):
    assert (report.n, report.n_open, report.n_closed, report.n_groups) == (4, 2, 2, 3)
    assert report.seconds_per_question == 0.5
    assert report.inconsistent_rate == 0.5
    assert report.inconsistent_score == 0.5
    rag, plain = report.systems["rag"], report.systems["no_retrieval"]
    assert (rag.open_recall, rag.closed_accuracy, rag.mean, rag.exact) == (1.0, 0.5, 0.75, 0.75)
    assert (plain.open_recall, plain.closed_accuracy, plain.mean) == (0.25, 0.5, 0.375)
    (difference,) = report.differences
    assert (difference.first, difference.second) == ("rag", "no_retrieval")
    assert difference.difference == pytest.approx(0.375)


def test_what_was_not_asked_has_no_figure():
    report = build_vqa_report(
        QUESTIONS[:2], task="t", split="val", bundle="b", index="i", num_resamples=20
    )
    assert report.systems["rag"].closed_accuracy is None
    assert report.systems["rag"].mean is None
    assert report.systems["rag"].open_recall == 1.0
    assert report.seconds_per_question is None


def test_the_file_comes_back_equal(report, tmp_path):
    write_report(report, tmp_path / "deep" / "report.json")
    assert read_vqa_report(tmp_path / "deep" / "report.json") == report


def test_a_missing_or_damaged_file_is_said(tmp_path):
    path = tmp_path / "report.json"
    with pytest.raises(RecordError, match=r"found none at 'report\.json'"):
        read_vqa_report(path)
    path.write_text('{"schema": "jomed.vqa/1"}')
    with pytest.raises(RecordError, match=r"follow schema jomed\.vqa/2: task: Field required"):
        read_vqa_report(path)


def test_no_question_no_report():
    with pytest.raises(ValueError, match="needs one question or more"):
        build_vqa_report([], task="t", split="val", bundle="b", index="i")


JOINT = ["left lung", "liver", "yes", "no"]  # all right


def build(questions):
    return build_vqa_report(
        questions, task="slake", split="val", bundle="b", index="i", num_resamples=20
    )


def test_the_trained_search_is_compared_with_the_reference():
    report = build(told(QUESTIONS, "", joint=JOINT, frequent=["no"] * 4))
    pairs = [(one.first, one.second) for one in report.differences]
    assert pairs == [("rag", "no_retrieval"), ("rag", "frequent"), ("joint", "rag")]
    assert report.differences[-1].difference == pytest.approx(0.25)
    assert report.systems["joint"].mean == 1.0


def test_without_the_reference_nothing_is_compared():
    only = [replace(one, answers={"joint": one.answers["rag"]}) for one in QUESTIONS]
    report = build(only)
    assert (report.differences, report.inconsistent_score) == ((), None)


def test_questions_without_a_twin_have_figures_of_their_own():
    """Without image b: the first question (open) and the last (closed)."""
    report = build(told(QUESTIONS, "b", joint=JOINT))
    clean = report.clean
    assert (clean.n, clean.n_open, clean.n_closed, clean.n_groups) == (2, 1, 1, 2)
    rag, plain = clean.systems["rag"], clean.systems["no_retrieval"]
    assert (rag.open_recall, rag.closed_accuracy, rag.mean, rag.exact) == (1.0, 0.0, 0.5, 0.5)
    assert (plain.open_recall, plain.closed_accuracy, plain.mean) == (0.5, 1.0, 0.75)
    found = {(one.first, one.second): one.difference for one in clean.differences}
    assert found == {("rag", "no_retrieval"): -0.25, ("joint", "rag"): 0.5}
    assert report.n == 4, "the whole keeps all"


def test_where_every_image_has_a_twin_there_is_no_clean_figure():
    report = build(told(QUESTIONS, "abc"))
    assert (report.clean.n, report.clean.systems, report.clean.differences) == (0, {}, ())


def test_where_nobody_looked_for_twins_nothing_is_said_of_them(report):
    assert report.clean is None
    half = [*told(QUESTIONS[:2], ""), *QUESTIONS[2:]]
    assert build(half).clean is None


def test_a_report_of_schema_1_is_still_read(report, tmp_path):
    values = report.model_dump(mode="json", by_alias=True)
    del values["clean"]
    path = tmp_path / "report.json"
    path.write_text(json.dumps({**values, "schema": "jomed.vqa/1"}))
    older = read_vqa_report(path)
    assert older.clean is None
    assert older.systems == report.systems
