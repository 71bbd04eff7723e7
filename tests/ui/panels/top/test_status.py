"""The status line: one sentence, said politely."""

from __future__ import annotations

from jomed_app.ui.panels.top.status import Status
from jomed_app.ui.templates import render
from tests.ui.hostile import assert_shown_as_text


def test_a_screen_reader_hears_it_and_sees_no_dot():
    html = render(Status("Ready."))
    assert 'role="status" aria-live="polite"' in html
    assert '<span class="status-text">Ready.</span>' in html
    assert "is-busy" not in html
    assert 'class="status-dot is-busy" aria-hidden="true"' in render(Status("x", is_busy=True))


def test_hostile_words_are_shown_as_text():
    assert_shown_as_text(Status)
