"""The page on free answers: every figure and difference, twins only where somebody looked."""

from __future__ import annotations

import pytest

from jomed_app.evaluation.metrics.free_answers import AnsweredQuestion
from jomed_app.evaluation.report.pages.questions import vqa_page
from jomed_app.evaluation.report.questions import VqaReport, build_vqa_report
from tests.markdown_tables import unpadded

ASKED = (("a", "left lung", False), ("b", "liver", False), ("b", "yes", True), ("c", "no", True))


def make_report(twins: str | None = None) -> VqaReport:
    """`joint` is right; `rag` is wrong once; images named in `twins` have a twin."""
    answers = [{"rag": said, "joint": said, "no_retrieval": "heart"} for _, said, _ in ASKED]
    answers[-1]["rag"] = "yes"
    asked = [
        AnsweredQuestion(
            group, "?", said, closed, given, has_twin=None if twins is None else group in twins
        )
        for (group, said, closed), given in zip(ASKED, answers, strict=True)
    ]
    return build_vqa_report(
        asked, task="slake", split="val", bundle="b", index="i", num_resamples=20
    )


@pytest.fixture(scope="module")
def report() -> VqaReport:
    return make_report()


def test_the_page_shows_every_figure_and_difference(report):
    page = unpadded(vqa_page([report, report.model_copy(update={"task": "vqa_rad"})]))
    assert page.count("\n## ") == 2
    assert "4 questions (2 open, 2 closed) about 3 images" in page
    assert "| rag | 1.000 [" in page
    assert "| rag − no_retrieval | +0.750 [" in page
    assert "| joint − rag | +0.250 [" in page


def test_what_it_was_measured_with_is_said_where_it_is_known(report):
    assert "Measured with bundle 4." in vqa_page([report], measured="Measured with bundle 4.")
    assert "Measured with" not in vqa_page([report])


def test_questions_without_a_twin_have_tables_of_their_own():
    page = unpadded(vqa_page([make_report("b")]))
    assert "2 questions (1 open, 1 closed) about 2 images." in page
    assert page.count("| joint − rag | +") == 2


def test_where_every_image_has_a_twin_only_that_is_said():
    page = unpadded(vqa_page([make_report("abc")]))
    assert "0 questions (0 open, 0 closed) about 0 images." in page
    assert page.count("| joint − rag | +") == 1


def test_where_nobody_looked_for_twins_nothing_is_said_of_them(report):
    assert "near-duplicate" not in vqa_page([report])


def test_names_cannot_break_the_page(report):
    page = vqa_page([report.model_copy(update={"bundle": "<script>"})])
    assert "`&lt;script&gt;`" in page
