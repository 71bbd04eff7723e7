"""The counter-case's card: another known diagnosis, its passage and its source."""

from __future__ import annotations

from jomed_app.ui.panels.cards.counter_case import CounterCase
from jomed_app.ui.templates import render
from tests.ui.fake_engine import FakeEngine
from tests.ui.hostile import assert_shown_as_text

RECORD = FakeEngine().candidate("case-9")


def test_it_says_what_it_differs_from():
    html = render(CounterCase(RECORD, "malignant"))
    assert "known diagnosis than the final (malignant). Look for" in html
    assert "<b>benign</b>" in html
    assert RECORD.passage in html
    assert "<dt>source</dt><dd>simulated breast ultrasound</dd>" in html
    assert "known diagnosis. Look for" in render(CounterCase(RECORD, None))


def test_a_hostile_record_is_shown_as_text():
    def hostile(words: str) -> CounterCase:
        update = {"case_id": words, "label": words, "passage": words, "provenance": {words: words}}
        return CounterCase(RECORD.model_copy(update=update), words)

    assert_shown_as_text(hostile)
