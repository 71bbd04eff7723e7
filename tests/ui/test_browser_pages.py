"""The pages beside the reading page, in the system's Chromium: reach, look, contrast, paper."""

from __future__ import annotations

import pytest

from jomed_app.ui import text
from tests.ui.test_browser import browser, pytestmark, serious_faults, visit

__all__ = ["browser", "pytestmark", "visit"]  # fixtures and marks, used by name

BESIDE = [each for each in text.PAGES if each != "./"]
GROUND = "getComputedStyle(document.body).backgroundColor"


def test_they_are_reached_from_the_reading_page_whose_case_stays_open(visit):
    here = visit()
    for address in BESIDE:
        with here.context.expect_page() as opened:
            here.page.click(f".nav a[href='{address}']")
        opened.value.wait_for_selector("#content h2")
        assert opened.value.title().startswith(text.PAGES[address])
        opened.value.close()
    assert here.page.url.split("?")[0].endswith("/")


@pytest.mark.parametrize("address", BESIDE)
def test_a_page_has_no_serious_fault_and_no_overflow(visit, site, address):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    here = visit()
    page = here.beside(f"{site.url}{address}")
    grounds = set()
    for _ in range(2):
        assert serious_faults(axe, page) == [], page.evaluate(GROUND)
        grounds.add(page.evaluate(GROUND))
        page.click("[data-action=theme]")
    assert len(grounds) == 2, "dark and light"
    for width in (820, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert here.overflow() <= 0, width
        assert page.is_visible(".top-warning b")
    page.emulate_media(media="print")
    page.wait_for_function(f"{GROUND} === 'rgb(255, 255, 255)'")
    assert page.is_hidden(".nav")
    page.emulate_media(media="screen")


def test_the_choice_of_light_goes_along(visit, site):
    here = visit(theme="")
    here.page.click("[data-action=theme]")
    light = here.page.evaluate(GROUND)
    here.beside(f"{site.url}about")
    assert here.page.evaluate(GROUND) == light


def test_keys_alone_reach_the_content(visit, site):
    page = visit().beside(f"{site.url}about")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.wait_for_function("location.hash === '#content'")


def test_the_failures_are_read_when_asked_for_and_shown_as_simulated(visit, site):
    page = visit().beside(f"{site.url}evidence")
    part = page.locator("[data-part=failures]")
    page.wait_for_selector("[data-part=failures][data-state=idle]")
    page.focus("[data-part=failures] button")
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-part=failures][data-state=over]")
    assert " of 5 answers are wrong" in part.inner_text()
    assert page.locator(".failure img").count() == page.locator(".failure").count() > 0
    for each in page.locator(".failure").all_inner_texts():
        assert "simulated, seed 9300" in each
    assert page.evaluate("document.activeElement !== document.body")
    page.click("summary:has-text('Reader')")
    assert "level" in page.inner_text("details[open]")
