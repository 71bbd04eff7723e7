"""The banner: an alert where something was not done, nothing where all is well."""

from __future__ import annotations

from jomed_app.ui.panels.top.banner import Banner
from jomed_app.ui.templates import render
from tests.ui.hostile import assert_shown_as_text


def test_it_is_an_alert_or_nothing():
    assert render(Banner("")) == ""
    assert render(Banner("No file.")).count('role="alert"') == 1


def test_hostile_words_are_shown_as_text():
    assert_shown_as_text(Banner)
