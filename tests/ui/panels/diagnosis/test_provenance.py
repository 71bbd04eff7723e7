"""Versions, time, and the same answer as a document and as calls."""

from __future__ import annotations

from html import unescape

import pytest

from jomed_app.types import Region, Result, Versions
from jomed_app.ui import text
from jomed_app.ui.panels.diagnosis.provenance import Provenance
from jomed_app.ui.templates import render
from tests.ui.hostile import HOSTILE, assert_shown_as_text


def source(html: str, name: str) -> str:
    """What the page copies under a name."""
    return unescape(html.split(f'data-source="{name}" tabindex="0">')[1].split("</pre>")[0])


def test_the_document_is_the_result(result):
    html = render(Provenance(result))
    assert Result.model_validate_json(source(html, "json")) == result
    assert "decode 3, retrieve 12, read 840, total 870 ms" in html


def test_the_calls_are_copied_letter_by_letter(result):
    html = render(Provenance(result))
    assert source(html, "python") == text.PYTHON_CALL
    assert source(html, "curl") == text.CURL_CALL


def test_the_other_search_is_said_to_be_another_call(result):
    standard = result.model_copy(update={"retrieval": "standard"})
    call = "python -m jomed_app diagnose image.png --standard"
    assert call in render(Provenance(standard, is_other_search=True))
    assert call not in render(Provenance(standard))


def test_a_call_for_an_answer_that_was_gone_on_to_says_so(result):
    info = result.input.model_copy(update={"inverted_as_asked": True, "overruled": ("domain",)})
    html = render(Provenance(result.model_copy(update={"input": info}), is_other_search=True))
    assert f"diagnose image.png --{result.retrieval} --invert --anyway" in html
    assert "For this answer" not in render(Provenance(result))


@pytest.mark.parametrize(
    ("region", "words"),
    [
        (Region(x0=4, y0=6, x1=90, y1=80, source="user"), "--region 4,6,90,80"),
        (Region.of_whole(100, 120), "--region whole"),
    ],
)
def test_a_part_that_was_asked_for_stands_in_the_call(result, region, words):
    info = result.input.model_copy(update={"region": region, "region_as_asked": True})
    assert f"image.png {words}</code>" in render(
        Provenance(result.model_copy(update={"input": info}))
    )
    found = info.model_copy(update={"region_as_asked": False})
    assert "--region" not in render(Provenance(result.model_copy(update={"input": found})))


def test_a_hostile_result_is_shown_as_text(result):
    def hostile(words: str) -> Provenance:
        versions = Versions(app=words, bundle=words, index=words)
        return Provenance(result.model_copy(update={"versions": versions}))

    assert_shown_as_text(hostile)
    asked = render(Provenance(result.model_copy(update={"question": HOSTILE})))
    assert Result.model_validate_json(source(asked, "json")).question == HOSTILE
    assert "<script" not in asked


def test_the_number_type_is_said_where_the_result_tells_it(result):
    said = result.versions.model_copy(update={"number_type": "bf16"})
    told = Provenance(result.model_copy(update={"versions": said}))
    assert told.versions["numbers"] == "bf16"
    older = result.versions.model_copy(update={"number_type": None})
    assert "numbers" not in Provenance(result.model_copy(update={"versions": older})).versions
