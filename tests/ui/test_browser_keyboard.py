"""The page by keyboard alone: reach, close, a focus that is never lost; and axe in each state."""

from __future__ import annotations

import pytest

from tests.ui.fake_engine import inverted_png_bytes, png_bytes
from tests.ui.test_browser import browser, case, pytestmark, serious_faults, visit

__all__ = ["browser", "case", "pytestmark", "visit"]  # fixtures and marks, used by name

FOCUSED = """() => {
  const node = document.activeElement;
  return node === document.body ? 'body' : node.dataset.do || node.dataset.action
    || node.dataset.part || node.dataset.example || node.className || node.tagName;
}"""
# What can be pressed or typed into, and is shown.
REACHABLE = """() => [...document.querySelectorAll(
  'button, input, summary, a[href], [tabindex="0"]')].filter((node) => !node.disabled
    && node.checkVisibility({visibilityProperty: true})).length"""

MARK = """() => {
  const node = document.activeElement;
  node.dataset.seen = node.dataset.seen || String(Math.random());
  return node.dataset.seen;
}"""


def focused(page) -> str:
    return page.evaluate(FOCUSED)


def presses(page, selector: str) -> None:
    """Press what has a name, by keyboard."""
    page.focus(selector)
    page.keyboard.press("Enter")


def keeps_focus(page) -> bool:
    page.wait_for_function("document.activeElement !== document.body")
    return focused(page) != "body"


def test_tab_reaches_everything_and_comes_round(case):
    page = case.page
    page.evaluate("window.scrollTo(0, 0)")
    page.focus(".jv")
    seen = set()
    for _ in range(page.evaluate(REACHABLE) + 5):
        page.keyboard.press("Tab")
        seen.add(page.evaluate(MARK))
    assert len(seen) >= page.evaluate(REACHABLE)


def test_escape_closes_the_sheet_drawers_and_menus(case):
    page = case.page
    page.focus(".jv")
    page.keyboard.press("?")
    assert page.is_visible("[data-part=help]")
    page.focus("#jomed-toolbar [data-part=purge]")
    page.keyboard.press("Escape")
    assert page.is_hidden("[data-part=help]")
    assert focused(page) == "purge"

    presses(page, "[data-do=region]")
    page.keyboard.press("Tab")
    page.focus("[data-do=draw]")
    page.keyboard.press("Escape")
    assert page.is_hidden("[data-part=region]")
    assert focused(page) == "region", "back where it was opened"

    for menu in (".examples",):
        presses(page, f"{menu} > summary")
        assert page.is_visible(f"{menu} .menu-box")
        page.keyboard.press("Escape")
        assert page.is_hidden(f"{menu} .menu-box")
        assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    page.click(".examples > summary")
    page.click(".jv-side")
    assert page.is_hidden(".examples .menu-box")


def test_the_keys_can_be_asked_for_before_a_case_is_open(visit):
    page = visit().page
    page.focus(".jv")
    page.keyboard.press("?")
    assert page.is_visible("[data-part=help]")
    page.keyboard.press("Escape")
    assert page.is_hidden("[data-part=help]")


def test_the_focus_is_never_lost(visit):
    here = visit()
    page = here.page
    presses(page, ".examples > summary")
    presses(page, "[data-example='0']")
    here.done()
    assert keeps_focus(page)

    presses(page, '[data-pane="case-0"] [data-action=remove]')
    page.wait_for_selector(".removed-note")
    page.wait_for_function("document.activeElement.dataset.action === 'restore'")
    assert page.evaluate("document.activeElement.dataset.id") == "case-0"
    presses(page, "[data-action=restore-all]")
    page.wait_for_selector(".removed-note", state="detached")
    assert keeps_focus(page)

    here.unfold("sum")
    page.focus("details[data-key=sum] > summary")
    page.evaluate("document.querySelector('[data-id=case-1][data-action=remove]').click()")
    page.wait_for_selector(".removed-note")
    page.wait_for_function("document.activeElement.tagName === 'SUMMARY'")
    assert page.is_visible("table.sum"), "what was open stays open"

    presses(page, "#jomed-toolbar [data-part=purge]")
    page.wait_for_selector(".jv-empty-title >> visible=true")
    page.wait_for_function("document.activeElement && document.activeElement !== document.body")

    here.upload("a.png", inverted_png_bytes())
    page.wait_for_selector("[data-action=go-on] >> visible=true")
    presses(page, "[data-action=go-on]")
    here.done()
    assert keeps_focus(page)


def in_both_themes(axe, page, state: str) -> None:
    for _ in range(2):
        assert serious_faults(axe, page) == [], state
        page.evaluate("document.querySelector('[data-action=theme]').click()")


def test_axe_finds_no_serious_fault_in_any_state(visit):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    here = visit()
    page = here.page
    page.focus(".jv")
    page.keyboard.press("?")
    here.upload("evil.png", b"MZ this is a program")
    page.wait_for_selector(".banner[role=alert]")
    in_both_themes(axe, page, "empty, keys shown, a file refused")
    page.keyboard.press("Escape")
    here.upload("a.png", inverted_png_bytes())
    page.wait_for_selector("[data-action=go-on] >> visible=true")
    in_both_themes(axe, page, "asked")
    page.click("[data-action=go-on]")
    here.done()
    here.unfold("passport")
    in_both_themes(axe, page, "gone on")
    here.example(2)  # the slow one
    page.wait_for_selector('[data-pane="case-0"]')
    assert serious_faults(axe, page) == [], "running"
    page.click("#jomed-toolbar [data-part=cancel]")
    page.wait_for_selector("#jomed-toolbar [data-part=again] >> visible=true")
    in_both_themes(axe, page, "stopped")
    here.upload("b.png", png_bytes(5))
    here.done()
    for name in ("window", "region", "heat", "usual"):
        page.click(f"[data-do={name}]")
    for key in ("sum", "versions", "elsewhere", "search"):
        here.unfold(key)
    page.click(".examples > summary")
    in_both_themes(axe, page, "all open")
    page.keyboard.press("Escape")
    page.click('[data-pane="case-0"] [data-action=remove]')
    page.wait_for_selector(".removed-note")
    in_both_themes(axe, page, "a case removed")


@pytest.mark.parametrize(
    ("width", "height"), [pytest.param(820, 1180, marks=pytest.mark.slow), (390, 844)]
)
def test_axe_finds_no_serious_fault_on_smaller_screens(visit, width, height):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    here = visit(width=width, height=height)
    here.example(0)
    here.done()
    in_both_themes(axe, here.page, "finished")
