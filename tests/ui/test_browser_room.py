"""The page as a room, in the system's Chromium: where the eye lands, and what never leaves."""

from __future__ import annotations

import pytest

from jomed_app.ui import text
from tests.ui.glance import Glance, is_seen
from tests.ui.test_browser import browser, case, pytestmark, visit

__all__ = ["browser", "case", "pytestmark", "visit"]  # fixtures and marks, used by name

BOTTOM = "window.scrollTo(0, document.documentElement.scrollHeight)"
GROUND = "getComputedStyle(document.body).backgroundColor"
DARK, LIGHT = "rgb(10, 13, 17)", "rgb(238, 241, 244)"
MOST_WORDS = 250


def rows(page, *selectors: str) -> list[float]:
    """Where elements begin in the document, px."""
    return [
        page.locator(each).first.evaluate("n => n.getBoundingClientRect().top + window.scrollY")
        for each in selectors
    ]


def test_the_first_screen_is_the_image_and_the_answer(case):
    page = case.page
    page.evaluate("window.scrollTo(0, 0)")
    glance = Glance.at(page)
    assert glance.image_top < 200
    assert glance.image_share >= 0.2
    assert 60 < len(glance.words) <= MOST_WORDS, glance.words
    assert is_seen(page, ".final-name")
    assert is_seen(page, ".answer-standing")
    assert is_seen(page, ".top-warning")


def test_the_order_of_the_page_is_the_order_of_thought(case):
    page = case.page
    places = rows(
        page, '[data-pane="query"]', ".others-title", '[data-pane="case-0"] .known',
        '[data-pane="case-0"] .model',
    )  # fmt: skip
    assert places == sorted(places)
    column = page.locator("#jomed-panel").bounding_box()
    viewer = page.locator("#jomed-viewer").bounding_box()
    assert column["x"] >= viewer["x"] + viewer["width"]
    assert rows(page, ".answer", ".agreement") == sorted(rows(page, ".answer", ".agreement"))


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (820, 1180), (390, 844)])
def test_answer_and_warning_never_scroll_away(visit, width, height):
    here = visit(width=width, height=height)
    page = here.page
    here.example(0)
    here.done()
    assert here.overflow() <= 0
    for scroll in ("window.scrollTo(0, 0)", BOTTOM):
        page.evaluate(scroll)
        for selector in (".final-name", ".answer-standing", ".top-warning b"):
            assert is_seen(page, selector), (scroll, selector)
    page.evaluate("window.scrollTo(0, 0)")
    if width < 1000:
        answer, image, findings, others, agreement = rows(
            page, ".answer", '[data-pane="query"]', ".jv-findings", ".others-title", ".agreement"
        )
        assert answer < image <= findings < others < agreement
        assert page.locator('[data-pane="query"] img').bounding_box()["y"] < height / 2


def test_the_passport_waits_below_unless_a_check_fails(case, visit):
    page = case.page
    passport, cases = rows(page, ".passport", ".jv-cases")
    assert passport > cases
    assert page.locator(".check").count() == 0
    assert page.inner_text(".passport summary").startswith("Input passport: ")


def test_one_line_of_tools_whose_rest_is_in_menus(case):
    page = case.page
    tools = page.locator(".jv-tools")
    assert tools.bounding_box()["height"] < 48
    assert tools.evaluate("n => n.scrollWidth <= n.clientWidth + 1")
    for name in ("window", "region"):
        drawer, button = page.locator(f"[data-part={name}]"), page.locator(f"[data-do={name}]")
        assert drawer.is_hidden()
        button.click()
        assert drawer.is_visible()
        assert button.get_attribute("aria-expanded") == "true"
        button.click()
        assert drawer.is_hidden()


def test_it_is_dark_until_light_is_chosen_and_the_choice_is_kept(visit):
    here = visit(theme="", color_scheme="light")
    page = here.page
    assert page.evaluate(GROUND) == DARK, "whatever the system prefers"
    page.click("[data-action=theme]")
    assert page.evaluate(GROUND) == LIGHT
    page.reload()
    page.wait_for_selector("#jomed-toolbar .tools")
    page.wait_for_function(f"{GROUND} === '{LIGHT}'")
    assert page.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('jomed'))") == [
        "jomed.theme"
    ]
    page.click("[data-action=theme]")
    page.reload()
    page.wait_for_selector("#jomed-toolbar .tools")
    page.wait_for_function(f"{GROUND} === '{DARK}'")


@pytest.mark.parametrize("view", ["settings", "api"])
def test_nothing_of_gradio_s_own_is_on_the_page(visit, site, view):
    here = visit()
    here.beside(f"{site.url}?__theme=dark&view={view}")
    here.page.wait_for_selector("#jomed-toolbar .tools")
    said = here.page.inner_text("body")
    for words in ("Built with Gradio", "Use via API", "Settings", "Screen", "Language"):
        assert words not in said, words
    assert here.page.locator("footer >> visible=true").count() == 0
    own = [each.get_attribute("href") for each in here.page.locator("a >> visible=true").all()]
    assert own == [each for each in text.PAGES if each != "./"]


def test_on_paper_it_is_black_on_white_and_has_no_tools(case):
    page = case.page
    page.emulate_media(media="print")
    try:
        page.wait_for_function(f"{GROUND} === 'rgb(255, 255, 255)'")
        for gone in ("#jomed-toolbar", ".jv-tools", "[data-action=remove]", "[data-copy=json]"):
            assert page.locator(gone).first.is_hidden(), gone
        for kept in (".top-warning b", ".top-warning .top-more", ".final-name", ".agreement"):
            assert page.locator(kept).first.is_visible(), kept
        assert page.locator("#jomed-panel").evaluate("n => getComputedStyle(n).maxHeight") == "none"
    finally:
        page.emulate_media(media="screen")
