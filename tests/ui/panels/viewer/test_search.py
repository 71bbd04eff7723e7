"""The switch between the two searches: what dropped out, what the other led to, and no promise."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jomed_app.imaging import read_image
from jomed_app.types import DroppedCandidate, FinalResult
from jomed_app.ui import text
from jomed_app.ui.panels.viewer.search import Search, search_value
from jomed_app.ui.reading import reading_of
from jomed_app.ui.session import Case
from jomed_app.ui.templates import render
from tests.ui.fake_engine import FakeEngine, FakeInfo, png_bytes
from tests.ui.hostile import assert_shown_as_text

TWO_SEARCHES = FakeInfo(standard=FakeInfo())


@pytest.fixture(scope="module")
def image():
    return read_image(png_bytes())


def opened(image, retrieval="joint", other=None):
    """A finished case, its reading, and the result of the other search if it was read."""
    engine = FakeEngine(info=TWO_SEARCHES)
    case = Case(image=image, retrieval=retrieval)
    case.results[retrieval] = list(engine.run(image, retrieval=retrieval))[-1].result
    if other is not None:
        name = "standard" if retrieval == "joint" else "joint"
        result = list(engine.run(image, retrieval=name))[-1].result
        final = result.final.model_copy(update=other)
        case.results[name] = result.model_copy(update={"final": final})
    return case, reading_of(case.result)


def test_it_says_what_dropped_out_and_claims_nothing_for_the_image(image):
    value = search_value(*opened(image), TWO_SEARCHES)
    assert (value["chosen"], value["busy"]) == ("joint", False)
    assert [each["title"] for each in value["options"]] == ["Standard RAG", "Jointly optimised"]
    assert "Dropped out (rank by similarity alone): 1st <b>benign</b>" in value["change"]
    assert "4th <b>benign</b>" in value["change"]
    assert "trained on which cases help the reader" in value["meaning"]
    assert "No promise for this image" in value["meaning"]
    assert "led to" not in value["change"], "the other search was not read yet"


def test_seen_from_similarity_nothing_dropped_out(image):
    html = render(Search.of(*opened(image, "standard")))
    assert "Not shown here (rank when jointly optimised): 1st <b>malignant</b>" in html


def test_the_other_answer_stands_beside_once_it_was_read(image):
    html = render(Search.of(*opened(image, "standard", {"probabilities": {"malignant": 0.584}})))
    assert "<p>Jointly optimised led to <b>malignant</b> 0.58.</p>" in html
    abstained = render(Search.of(*opened(image, "joint", {"prediction": None})))
    assert "Standard RAG led to no diagnosis." in abstained


def test_the_same_cases_are_said_to_be_the_same(image):
    case, reading = opened(image)
    same = tuple(each.model_copy(update={"other_rank": each.rank}) for each in reading.candidates)
    for candidates, sentence in ((same, text.SAME_CASES), (reading.candidates, text.SAME_SET)):
        shown = replace(reading, candidates=candidates, dropped=())
        assert render(Search.of(case, shown)) == f"<p>{sentence}</p>"


def test_one_search_or_no_candidate_has_no_switch(image):
    case, reading = opened(image)
    assert search_value(case, reading, FakeInfo()) is None
    assert search_value(case, replace(reading, candidates=()), TWO_SEARCHES) is None


def test_the_switch_waits_while_a_search_is_read(image):
    case, reading = opened(image)
    assert search_value(case, replace(reading, result=None), TWO_SEARCHES)["busy"] is True


def test_hostile_cases_are_shown_as_text():
    def hostile(words: str) -> Search:
        dropped = DroppedCandidate(candidate_id=words, rank=1, label=words)
        final = FinalResult(prediction=words, probabilities={words: 1.0})
        return Search("joint", (dropped, dropped), "", final)

    assert_shown_as_text(hostile)
    assert_shown_as_text(lambda words: Search("joint", (), words, None))
