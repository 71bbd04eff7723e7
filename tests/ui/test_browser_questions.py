"""A picture that is asked about, in the system's Chromium: both ways on, by mouse and by key."""

from __future__ import annotations

from tests.ui.fake_engine import inverted_png_bytes
from tests.ui.test_browser import browser, pytestmark, visit

__all__ = ["browser", "pytestmark", "visit"]  # fixtures and marks, used by name

INVERT = "[data-action=read-inverted]"
GO_ON = "[data-action=go-on]"


def asked(visit):
    here = visit()
    here.upload("a.png", inverted_png_bytes())
    here.page.wait_for_selector(f"{GO_ON} >> visible=true")
    assert here.page.inner_text(".final-name") == "none given"
    assert here.page.locator(".pane").count() == 1
    return here


def test_read_inverted_shows_and_reads_the_turned_picture(visit):
    here = asked(visit)
    page = here.page
    before = page.get_attribute('[data-pane="query"] img', "src")
    page.click(INVERT)
    here.done()
    page.wait_for_selector('[data-pane="case-0"]')
    assert page.inner_text(".final-name") == "malignant"
    assert page.get_attribute('[data-pane="query"] img', "src") != before
    assert page.locator(".overruled-note").count() == 0
    assert page.locator(GO_ON).count() == 0
    assert "inverted as asked" in page.inner_text(".checks")


def test_go_on_by_key_answers_under_a_note(visit):
    here = asked(visit)
    page = here.page
    page.focus(INVERT)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.dataset.action") == "go-on"
    page.keyboard.press("Enter")
    here.done()
    page.wait_for_selector('[data-pane="case-0"]')
    note = page.inner_text(".overruled-note")
    assert note.startswith("For research only: read although a check did not pass.")
    assert "looks inverted" in note
    above, final = (page.locator(each).bounding_box() for each in (".overruled-note", ".agreement"))
    assert above["y"] + above["height"] <= final["y"]
