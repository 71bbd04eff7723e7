"""Frames of a file in Chromium: slider and loop, and which frame the answer rests on."""

from __future__ import annotations

import numpy as np
import pytest

from tests.imaging.datasets import dicom_bytes
from tests.ui.fake_engine import picture
from tests.ui.test_browser import browser, pytestmark, serious_faults, visit

__all__ = ["browser", "pytestmark", "visit"]  # fixtures and marks, used by name

NUM_FRAMES = 12
WORDS = '[data-pane="query"] .stage-words'
SOURCE = "document.querySelector('[data-pane=query] img').src"
VALUE = "document.querySelector('[data-part=scrub-value]').textContent"

SEEN_ALL = f"() => (window.seen = window.seen || new Set()).add({VALUE}).size === {NUM_FRAMES}"


def loop() -> bytes:
    frames = np.stack([picture(number, 128, 160) for number in range(NUM_FRAMES)])
    return dicom_bytes(frames, frames=NUM_FRAMES, Modality="US")


def opened(visit, **options):
    here = visit(**options)
    here.asked = []
    here.page.on(
        "request",
        lambda request: (
            here.asked.append(request.post_data or "")
            if "component_server" in request.url
            else None
        ),
    )
    here.upload("a.dcm", loop())
    here.done()
    return here


def fetched(here) -> int:
    return sum("frames_query" in each for each in here.asked)


def test_the_slider_shows_a_frame_and_says_which_one_was_read(visit):
    here = opened(visit)
    page = here.page
    assert fetched(here) == 0, "no frame is fetched before it is wanted"
    first = page.evaluate(SOURCE)
    boxes = page.locator('[data-pane="query"] .box-line')
    assert boxes.count() == 1
    assert page.inner_text("[data-part=scrub-value]") == "1 / 12"
    page.locator("[data-part=scrub]").fill("5")
    page.wait_for_function(f"old => {SOURCE} !== old", arg=first)
    assert page.inner_text(WORDS) == ("Frame 5 is shown. Answer, boxes and layers rest on frame 1.")
    assert boxes.count() == 0
    assert page.evaluate(SOURCE).startswith("data:image/png"), "lossless"
    final = page.inner_text(".final")
    page.focus(".jv")
    page.keyboard.press("PageDown")
    page.wait_for_function(f"{VALUE} === '6 / 12'")
    page.locator("[data-part=scrub]").fill("1")
    page.wait_for_function(f"old => {SOURCE} === old", arg=first)
    assert boxes.count() == 1
    assert page.inner_text(".final") == final
    assert page.locator("[data-do=read-frame]").is_hidden()

    page.locator("[data-part=scrub]").fill("9")
    page.click("[data-do=read-frame]")
    page.wait_for_function("document.querySelector('[data-part=frame]').value === '9'")
    here.done()
    assert page.inner_text("[data-part=scrub-value]") == "9 / 12"
    assert boxes.count() == 1


def test_the_loop_plays_from_few_requests_and_stops_with_the_case(visit):
    here = opened(visit)
    page = here.page
    page.select_option("[data-part=rate]", "30")
    page.click("[data-do=play]")
    page.wait_for_function(SEEN_ALL)
    assert fetched(here) == 2, "eight at once"
    assert page.evaluate(SOURCE).startswith("data:image/jpeg")
    page.focus(".jv")
    page.keyboard.press("p")
    assert page.get_attribute("[data-do=play]", "aria-pressed") == "false"
    page.wait_for_function(f"{SOURCE}.startsWith('data:image/png')")
    page.keyboard.press("p")
    page.click("#jomed-toolbar [data-part=purge]")
    page.wait_for_selector(".jv-empty-title >> visible=true")
    before = fetched(here)
    here.example(0)
    here.done()
    assert page.locator('[data-pane="query"] .frame-bar').is_hidden()
    assert fetched(here) == before


def test_the_loop_stops_when_the_page_is_left(visit):
    here = opened(visit)
    page = here.page
    page.focus(".jv")
    page.keyboard.press("p")
    assert page.get_attribute("[data-do=play]", "aria-pressed") == "true"
    page.evaluate(
        """() => {
          Object.defineProperty(document, 'hidden', {value: true, configurable: true});
          document.dispatchEvent(new Event('visibilitychange'));
        }"""
    )
    assert page.get_attribute("[data-do=play]", "aria-pressed") == "false"


def test_nothing_moves_for_who_asks_for_less_motion(visit):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    here = opened(visit, width=390, height=844, reduced_motion="reduce")
    page = here.page
    play = page.locator("[data-do=play]")
    assert play.get_attribute("aria-disabled") == "true"
    assert "less motion" in play.get_attribute("title")
    page.focus(".jv")
    page.keyboard.press("p")
    assert play.get_attribute("aria-pressed") == "false"
    assert fetched(here) == 0
    page.locator("[data-part=scrub]").fill("3")
    page.wait_for_selector("[data-do=read-frame] >> visible=true")
    assert serious_faults(axe, page) == []
    assert here.overflow() <= 0
