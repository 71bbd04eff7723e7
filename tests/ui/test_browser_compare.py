"""One case beside the patient's image, both large, in the system's Chromium."""

from __future__ import annotations

import pytest

from tests.ui.test_browser import browser, case, pytestmark, serious_faults, visit
from tests.ui.visit import PANE

__all__ = ["browser", "case", "pytestmark", "visit"]  # fixtures and marks, used by name

BUTTON = '[data-pane="{}"] [data-action=compare]'


def stage(page, pane: str) -> dict[str, float]:
    return page.locator(PANE.format(pane)).bounding_box()


def test_a_case_stands_beside_the_patient_at_full_height(case):
    here, page = case, case.page
    page.click("[data-do=fit]")
    small = stage(page, "case-1")["height"]
    button = page.locator(BUTTON.format("case-1"))
    button.focus()
    page.keyboard.press("Enter")
    query, other = stage(page, "query"), stage(page, "case-1")
    assert query["y"] == other["y"]
    assert query["height"] == other["height"] > 2 * small
    assert other["x"] >= query["x"] + query["width"]
    assert button.get_attribute("aria-pressed") == "true"
    assert page.evaluate("document.activeElement.dataset.id") == "case-1", "the focus stays"
    before = here.zoom("query")
    here.wheel("case-1", -200)
    assert here.zoom("query") == here.zoom("case-1") > before

    table = page.locator('[data-pane="case-1"] .differences')
    assert table.is_visible()
    assert "margin\tcircumscribed\tspiculated" in table.inner_text()
    assert page.locator('[data-pane="case-0"] .differences').is_hidden()
    differs = page.inner_text('[data-pane="case-1"] .differs')
    assert differs == "Differs from your image in shape, margin, orientation"

    page.keyboard.press("Escape")
    assert stage(page, "case-1")["height"] == small
    order = [each.get_attribute("data-pane") for each in page.locator(".jv-cases .pane").all()]
    assert order == ["case-0", "case-1", "case-2", "case-3", "case-9"]
    assert table.is_hidden()
    assert page.evaluate("document.activeElement.dataset.id") == "case-1"
    page.click("[data-do=fit]")


def test_by_key_for_the_chosen_case_and_with_the_counter_case(case):
    page = case.page
    page.click(PANE.format("query"))
    page.keyboard.press("c")
    assert page.locator(".is-comparing").count() == 0, "the patient is not compared with itself"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("c")
    assert page.locator(".jv-compared .pane").get_attribute("data-pane") == "case-9"
    page.keyboard.press("c")
    assert page.locator(".jv-compared .pane").count() == 0
    page.keyboard.press("ArrowRight")


def test_it_is_gone_with_the_case_and_free_of_faults(visit):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    here = visit(width=390, height=844)
    page = here.page
    here.example(0)
    here.done()
    page.click(BUTTON.format("case-0"))
    assert page.locator(".jv-compared .pane").count() == 1
    assert serious_faults(axe, page) == []
    assert here.overflow() <= 0
    here.example(1)
    page.wait_for_selector(".jv-compared .pane", state="detached")
    here.done()
    assert page.locator(".jv-cases .pane").count() == 5
