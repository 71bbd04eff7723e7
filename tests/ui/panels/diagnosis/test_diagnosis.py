"""The whole column: what comes first, what waits, and what is left out."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

import pytest

from jomed_app.ui import text
from jomed_app.ui.panels.diagnosis.diagnosis import Diagnosis
from jomed_app.ui.reading import Reading, reading_of
from jomed_app.ui.templates import render
from tests.ui.fake_engine import FakeEngine, FakeInfo
from tests.ui.hostile import assert_shown_as_text


@pytest.fixture
def reading(result) -> Reading:
    return reading_of(result)


def test_the_warning_stands_above_the_diagnosis_and_the_sum_below(reading):
    html = render(Diagnosis.of(reading, FakeInfo()))
    places = [
        html.index(words)
        for words in ("The readings disagree", "Final diagnosis", "Agreement",
                      "What the answer is made of", "How the number arose", "Copy JSON",
                      "Versions", "Same answer elsewhere")
    ]  # fmt: skip
    assert places == sorted(places)


def test_before_a_case_is_open_the_column_explains_itself():
    html = render(Diagnosis())
    assert text.PANEL_EMPTY in unescape(html)
    assert "Diagnosis" not in html


def test_until_the_diagnosis_is_known_it_says_how_far_the_reading_is(reading):
    waiting = replace(reading, final=None, consistency=None, result=None)
    first = waiting.candidates[0].model_copy(update={"prediction": None})
    read = replace(waiting, candidates=(first, *waiting.candidates[1:]))
    html = render(Diagnosis.of(read, FakeInfo()))
    assert "3 of 4 similar cases read. The diagnosis follows" in html
    assert 'style="width:75.0%"' in html
    assert "Final diagnosis" not in html
    none = Diagnosis.of(replace(waiting, candidates=()), FakeInfo())
    assert "Searching for similar cases." in render(none)


def test_an_abstention_has_no_sum(reading):
    abstained = reading.final.model_copy(update={"abstained": True})
    column = Diagnosis.of(replace(reading, final=abstained), FakeInfo())
    assert column.sum_table is None
    assert column.final is not None


def test_a_refused_image_has_no_empty_block(reading):
    refused = reading.final.model_copy(
        update={"abstained": True, "probabilities": {}, "prediction": None}
    )
    html = render(Diagnosis.of(replace(reading, final=refused), FakeInfo()))
    assert not re.search(r'<div class="jblock[^>]*>\s*</div>', html)


def test_the_result_follows_when_the_run_has_completed(reading):
    assert Diagnosis.of(replace(reading, result=None), FakeInfo()).provenance is None
    assert "Copy JSON" in render(Diagnosis.of(reading, FakeInfo()))


def test_what_is_measured_is_that_of_the_search_that_is_shown(reading):
    other = FakeInfo(measured_on="30 others", error_rates={"disagree": 0.44})
    both = FakeInfo(standard=other)
    joint = Diagnosis.of(reading, both)
    assert (joint.agreement.error_rate, joint.provenance.is_other_search) == (0.31, False)
    standard = Diagnosis.of(replace(reading, retrieval="standard"), both)
    assert (standard.agreement.error_rate, standard.provenance.is_other_search) == (0.44, True)
    assert "Measured on 30 others" in standard.final.measured


@pytest.mark.parametrize(
    ("moved", "words"),
    [
        ({"removed": {"case-1"}}, "without 1 similar case."),
        ({"removed": {"case-1", "case-2"}}, "without 2 similar cases."),
        ({"factors": {"case-1": 2.0}}, "1 weight changed."),
    ],
)
def test_a_moved_answer_is_marked_and_has_no_measured_figure(result, moved, words):
    changed = reading_of(FakeEngine().recompute(result, **moved))
    column = Diagnosis.of(changed, FakeInfo())
    html = render(column)
    assert f"<b>Moved by you</b>: {words}" in html
    assert 'tag-moved">moved by you</span>' in html
    assert (column.agreement.error_rate, column.final.calibrated, column.answer.calibrated) == (
        None, "", "",
    )  # fmt: skip
    assert text.MOVED_NOTE in html
    assert "40 fake images" not in html
    own = render(Diagnosis.of(reading_of(result), FakeInfo()))
    assert "tag-moved" not in own
    assert "40 fake images" in own


def test_a_hostile_case_is_shown_as_text(result):
    def hostile(words: str) -> Diagnosis:
        update = {"prediction": words, "probabilities": {words: 1.0}}
        changed = {
            "final": result.final.model_copy(update=update),
            "candidates": tuple(each.model_copy(update=update) for each in result.candidates),
            "consistency": result.consistency.model_copy(update={"counts": {words: 4}}),
        }
        reading = reading_of(result.model_copy(update=changed))
        return Diagnosis.of(replace(reading, result=None), FakeInfo(), flip_to=f"not {words}")

    assert_shown_as_text(hostile)
