"""The page without a case, and what is said of an error."""

from __future__ import annotations

from jomed_app.errors import CancelledError, ImageError
from jomed_app.ui import text
from jomed_app.ui.handlers.screen import NO_BANNER, Screen, closed, failure
from jomed_app.ui.templates import render


def test_a_closed_page_shows_nothing_of_a_case():
    screen = closed("Open it again.")
    assert screen.viewer["panes"] == []
    assert render(screen.checks) == ""
    assert "Open it again." in render(screen.banner)
    assert (screen.is_busy, screen.has_case, screen.can_run) == (False, False, False)
    assert closed().banner == NO_BANNER


def test_a_screen_takes_the_banner_away_and_leaves_the_rest():
    screen = Screen()
    assert render(screen.banner) == ""
    assert {screen.status, screen.checks, screen.viewer, screen.diagnosis} == {None}


def test_an_error_is_one_sentence(caplog):
    assert failure(ImageError("an image must have\n  pixels")) == "An image must have pixels."
    assert failure(CancelledError("x")) == text.STATUS_CANCELLED
    ours = failure(RuntimeError("DOE^JOHN"))
    assert "incident" in ours
    assert "DOE" not in ours + caplog.text
