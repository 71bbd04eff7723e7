"""Heat map, usual place and the meaning of the threshold in the system's Chromium."""

from __future__ import annotations

import pytest

from tests.ui.test_browser import browser, case, pytestmark, visit
from tests.ui.visit import PANE

__all__ = ["browser", "case", "pytestmark", "visit"]  # fixtures and marks, used by name

HEAT = '[data-pane="query"] .heat'
HEAT_WORDS = '[data-pane="query"] .layer-words.is-heat'
USUAL = '[data-pane="query"] .usual-line'
USUAL_WORDS = '[data-pane="query"] .layer-words.is-usual'


def button(page, name: str):
    return page.locator(f'[data-do="{name}"]')


def place(page, selector: str) -> dict[str, float]:
    """Return left, top, width and height relative to the query's stage."""
    stage = page.locator(PANE.format("query")).bounding_box()
    box = page.locator(selector).first.bounding_box()
    return {
        "left": box["x"] - stage["x"],
        "top": box["y"] - stage["y"],
        "width": box["width"],
        "height": box["height"],
    }


def test_the_heat_map_is_shown_by_key_and_follows_the_zoom(case):
    here, page = case, case.page
    page.click("[data-do=fit]")
    assert not page.is_visible(HEAT)
    assert not page.is_visible(HEAT_WORDS)
    page.focus("#jomed-toolbar [data-part=purge]")
    page.keyboard.press("h")
    assert not page.is_visible(HEAT)  # the viewer has no focus yet
    page.focus(".jv")
    page.keyboard.press("h")
    assert page.is_visible(HEAT)
    assert button(page, "heat").get_attribute("aria-pressed") == "true"
    assert "not a finding" in page.inner_text(HEAT_WORDS)
    assert "not a finding" in page.text_content("[data-part=said]")
    assert place(page, HEAT) == pytest.approx(place(page, '[data-pane="query"] img'))
    here.wheel("query", -300)
    zoomed = place(page, HEAT)
    assert zoomed == pytest.approx(place(page, '[data-pane="query"] img'))
    page.click("[data-do=fit]")
    assert place(page, HEAT)["width"] < zoomed["width"]
    assert page.locator('[data-pane="case-0"] .heat').is_hidden()
    button(page, "heat").click()
    assert not page.is_visible(HEAT)
    assert button(page, "heat").get_attribute("aria-pressed") == "false"


def test_the_usual_place_is_shown_by_key_in_this_images_frame(case):
    page = case.page
    page.click("[data-do=fit]")
    assert page.locator(USUAL).count() == 0
    page.focus(".jv")
    page.keyboard.press("u")
    assert page.locator(USUAL).count() == 3
    assert page.locator('[data-pane="query"] .usual-words').all_text_contents() == [
        "#1 0.41",
        "#2 0.27",
        "#3 0.20",
    ]
    words = page.inner_text(USUAL_WORDS)
    assert words.startswith("In 3 of 4 similar cases (weight 0.88) the finding lies in the center")
    assert "not a finding in it" in words
    image = place(page, '[data-pane="query"] img')
    first = page.locator(USUAL).first
    assert float(first.get_attribute("x")) == pytest.approx(
        image["left"] + 0.41 * image["width"], abs=1
    )
    assert float(first.get_attribute("height")) == pytest.approx(0.26 * image["height"], abs=1)
    faint = [float(each.get_attribute("opacity")) for each in page.locator(USUAL).all()]
    assert faint == sorted(faint, reverse=True)

    page.click('[data-pane="case-0"] [data-action=remove]')
    page.wait_for_selector(".removed-note")
    assert page.locator(USUAL).count() == 2
    assert page.inner_text(USUAL_WORDS).startswith("In 2 of 3 similar cases")
    page.click("[data-action=restore-all]")
    page.wait_for_selector(".removed-note", state="detached")
    button(page, "usual").focus()
    page.keyboard.press("Enter")
    assert page.locator(USUAL).count() == 0
    assert not page.is_visible(USUAL_WORDS)


def test_the_threshold_says_what_it_means(case):
    page = case.page
    page.focus(".jv")
    meaning, slider = "[data-part=threshold-meaning]", page.locator("[data-part=threshold]")
    slider.fill("0.5")
    assert page.inner_text(meaning) == (
        "At this threshold about 1 in 7 drawn boxes is false and 8 of 10 lesions are found, "
        "on validation cases: 40 fake images."
    )
    assert slider.get_attribute("aria-valuetext") == f"0.50. {page.inner_text(meaning)}"
    slider.fill("0.6")
    assert page.inner_text(meaning).startswith("At 0.50, the nearest lower threshold")
    slider.fill("0.1")
    assert page.inner_text(meaning) == "Below 0.20 nothing was measured."
    slider.fill("0.5")


def test_the_keys_are_in_the_help(case):
    page = case.page
    page.focus(".jv")
    page.keyboard.press("?")
    keys = page.locator("[data-part=help] dt").all_inner_texts()
    assert {"h", "u"} <= set(keys)
    page.keyboard.press("?")


def test_without_a_heat_map_the_button_says_why(visit):
    here = visit()
    page = here.page
    here.example(2)  # the fake engine gives none for this one
    here.done()
    assert button(page, "heat").get_attribute("aria-disabled") == "true"
    assert button(page, "heat").get_attribute("title") == "No heat map: this result holds none."
    page.focus(".jv")
    page.keyboard.press("h")
    assert page.inner_text(HEAT_WORDS) == "No heat map: this result holds none."
    assert not page.is_visible(HEAT)
    here.example(0)
    page.wait_for_selector('[data-do="heat"][aria-disabled="false"]')
    assert not page.is_visible(HEAT)
    assert not page.is_visible(HEAT_WORDS)


def test_both_layers_fit_a_phone(visit):
    here = visit(width=390, height=844, theme="light", has_touch=True)
    page = here.page
    here.example(0)
    here.done()
    for name in ("heat", "usual"):
        assert button(page, name).bounding_box()["height"] >= 39.5
        button(page, name).click()
    assert page.is_visible(HEAT_WORDS)
    assert page.is_visible(USUAL_WORDS)
    assert here.overflow() <= 0
