from __future__ import annotations

import io

import pytest
from pypdf import PdfReader

from jomed_app.export.page import pdf
from tests.export.finished_cases import finished
from tests.ui.fake_engine import ConsistencyState, FakeEngine


def words_of(content: bytes) -> str:
    reader = PdfReader(io.BytesIO(content))
    assert len(reader.pages) == 1
    return " ".join(reader.pages[0].extract_text().split())


def test_one_page_tells_the_answer_and_what_made_it():
    kept, image = finished()
    said = words_of(pdf(kept, image.model_input))
    for expected in (
        "Research demo, not a medical device. Not for diagnosis.",
        "Answer: malignant 0.58",
        "Readings disagree.",
        "Known diagnoses of the similar cases: malignant 3 of 4, benign 1 of 4.",
        "Box: malignant, score 0.81",
        "Similar cases (simulated)",
        "case-0 malignant malignant 0.84 0.41",
        kept.query.pixels_sha256,
        "fake 1",
    ):
        assert expected in said, expected


def test_any_number_of_candidates_fits():
    kept, image = finished()
    many = tuple(
        kept.result.candidates[0].model_copy(update={"rank": rank, "candidate_id": f"far-{rank}"})
        for rank in range(1, 61)
    )
    full = kept.model_copy(update={"result": kept.result.model_copy(update={"candidates": many})})
    assert "far-60" in words_of(pdf(full, image.model_input))


def test_without_an_answer_the_page_says_so():
    kept, image = finished(engine=FakeEngine(state=ConsistencyState.ABSTAIN))
    assert "No answer:" in words_of(pdf(kept, image.model_input))


@pytest.mark.parametrize("report", ["<b>bold</b> & <script>", "Größe 12 × 7 mm ≥ 5", "超音波"])
def test_words_of_any_kind_are_words(report):
    kept, image = finished()
    changed = kept.result.model_copy(update={"report": report})
    content = pdf(kept.model_copy(update={"result": changed}), image.model_input)
    if report.isascii() or "×" in report:
        assert report in words_of(content)


def test_the_file_tells_no_day_and_repeats():
    kept, image = finished()
    content = pdf(kept, image.model_input)
    assert pdf(kept, image.model_input) == content
    about = PdfReader(io.BytesIO(content)).metadata
    assert str(about.creation_date).startswith("2000-01-01")
    assert about.title == "JOMED app: one case"
