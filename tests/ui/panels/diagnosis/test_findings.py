"""Findings, report sentence and boxes in words: each when it is known, and no box in words too."""

from __future__ import annotations

from jomed_app.ui.panels.diagnosis.findings import Findings
from jomed_app.ui.reading import Reading, reading_of
from jomed_app.ui.templates import render
from tests.ui.hostile import assert_shown_as_text


def findings(result, **changed) -> Findings:
    return Findings.of(reading_of(result.model_copy(update=changed)))


def test_each_descriptor_has_its_likeliest_value_and_the_next(result):
    (first, *_) = findings(result).findings
    assert (first.descriptor, first.likeliest.name, first.next.name) == (
        "shape",
        "irregular",
        "oval",
    )
    html = render(findings(result))
    assert "<b>irregular</b></td><td>0.71</td>" in html
    assert 'title="next: oval 0.22"' in html
    assert "<td>oval</td><td>0.22</td>" in html


def test_a_descriptor_of_one_value_has_no_next_and_one_of_none_no_row(result):
    (only,) = findings(result, findings={"echo": {}, "shape": {"oval": 1.0}}).findings
    assert (only.descriptor, only.next) == ("shape", None)


def test_nothing_is_said_until_it_is_known(result):
    assert render(Findings.of(Reading(info=result.input))) == ""


def test_that_no_descriptor_applies_is_said(result):
    assert "No descriptor applies" in render(findings(result, findings={}))


def test_boxes_are_said_in_pixels_and_so_is_that_there_is_none(result):
    html = render(findings(result))
    assert '<td class="mono">115, 112 - 278, 216</td>' in html
    assert "does not mean normal" not in html
    assert "does not mean normal" in render(findings(result, boxes=()))


def test_hostile_findings_are_shown_as_text(result):
    def hostile(words: str) -> Findings:
        box = result.boxes[0].model_copy(update={"label": words})
        known = {words: {words: 0.6, f"not {words}": 0.4}}
        return findings(result, findings=known, report=words, boxes=(box,))

    assert_shown_as_text(hostile)
