"""The switch between the two searches in the system's Chromium."""

from __future__ import annotations

import pytest

from tests.ui.test_browser import browser, pytestmark, visit

__all__ = ["browser", "pytestmark", "visit"]  # fixtures and marks, used by name

SWITCH = ".search-switch [data-search={}]"


def pressed(page) -> dict[str, str]:
    buttons = page.locator(".search-switch button")
    return {
        each.get_attribute("data-search"): each.get_attribute("aria-pressed")
        for each in buttons.all()
    }


def switched(here, to: str) -> None:
    """Wait for the result of a search."""
    here.page.wait_for_selector(f'{SWITCH.format(to)}[aria-pressed="true"][aria-disabled="false"]')


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_search_is_switched_by_key_and_back_from_memory(visit, theme):
    here = visit(theme=theme)
    page = here.page
    here.example(0)
    here.done()
    assert pressed(page) == {"standard": "false", "joint": "true"}
    assert page.inner_text('[data-pane="case-0"] .change') == "↑\nwas 7th by similarity alone"
    here.unfold("search")
    assert "Dropped out" in page.inner_text("[data-part=search-change]")

    page.focus(SWITCH.format("joint"))
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    switched(here, "standard")
    assert page.locator('[data-pane="case-5"]').count() == 1
    assert page.locator('[data-pane="case-0"]').count() == 0
    assert page.evaluate("document.activeElement.dataset.search") == "standard"
    assert "Jointly optimised led to" in page.inner_text("[data-part=search-change]")

    page.click(SWITCH.format("joint"))
    switched(here, "joint")
    page.wait_for_selector("text=as it was read before")
    assert page.locator('[data-pane="case-0"]').count() == 1

    page.click(SWITCH.format("standard"))
    switched(here, "standard")
    here.example(1)
    page.wait_for_selector('[data-pane="case-5"]')
    here.done()
    assert pressed(page) == {"standard": "true", "joint": "false"}
    page.click("#jomed-toolbar [data-part=purge]")
    page.wait_for_selector(".jv-empty-title >> visible=true")
    assert not page.is_visible("[data-part=search]")


def test_the_switch_fits_a_phone(visit):
    here = visit(width=390, height=844, theme="light", has_touch=True)
    here.example(0)
    here.done()
    assert here.overflow() <= 0
    boxes = [
        here.page.locator(SWITCH.format(each)).bounding_box() for each in ("standard", "joint")
    ]
    assert all(box["height"] >= 40 for box in boxes)
    assert boxes[0]["y"] == boxes[1]["y"], "side by side"
    strip = here.page.locator("[data-part=search]").bounding_box()
    assert boxes[1]["x"] + boxes[1]["width"] <= strip["x"] + strip["width"]
    assert here.page.locator(".change >> visible=true").count() >= 1


def test_no_click_is_lost_however_soon_it_follows(visit):
    """Gradio 6.31 alone lost one in three: jomed_app/server/stream_end.py."""
    here = visit()
    here.example(0)
    here.done()
    for to in ["standard", "joint"] * 8:
        here.page.click(SWITCH.format(to))
        switched(here, to)
