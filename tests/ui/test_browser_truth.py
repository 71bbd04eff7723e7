"""What the page says of patients, of similarity and of weights, in the system's Chromium."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from jomed_app.ui import text
from tests.ui.fake_engine import png_bytes
from tests.ui.serve_fake import FAINT_COLUMNS
from tests.ui.test_browser import browser, case, pytestmark, serious_faults, visit
from tests.ui.visit import Visit

__all__ = ["browser", "case", "pytestmark", "visit"]  # fixtures and marks, used by name

NO_WORDS_FOR_CLINICIANS = re.compile(r"\b(candidates?|quer(y|ies)|marginal\w*|domain)\b", re.I)
# All that a visitor can read or is read aloud: the text without results and calls as code,
# and what names buttons and images.
SAID = """() => {
  const copy = document.body.cloneNode(true);
  copy.querySelectorAll('pre, code, script, style, footer').forEach((each) => each.remove());
  const names = [...copy.querySelectorAll('*')].flatMap((each) => ['title', 'aria-label', 'alt',
    'aria-valuetext', 'placeholder'].map((name) => each.getAttribute(name) || ''));
  return [copy.textContent, ...names].join('\\n');
}"""
STYLES = """(selectors) => selectors.map((selector) => {
  const style = getComputedStyle(document.querySelector(selector));
  return [style.color, style.backgroundColor];
})"""
HEADS = ['[data-pane="query"] .pane-head', '[data-pane="case-0"] .pane-head']
FRAMES = """() => Object.fromEntries([...document.querySelectorAll('.pane')].map((pane) => {
  const frame = getComputedStyle(pane), head = getComputedStyle(pane.querySelector('.pane-head'));
  return [pane.dataset.pane, [frame.borderTopColor, frame.boxShadow, head.backgroundColor]];
}))"""
MARKED = """() => [...document.querySelectorAll('.pane')].filter(
  (pane) => getComputedStyle(pane.querySelector('.pane-mark')).visibility === 'visible'
).map((pane) => pane.dataset.pane)"""


@pytest.fixture(scope="module")
def faint(browser, site) -> Iterator[Visit]:
    """One finished image without a similar case, two of whose cases hardly count."""
    here = Visit(browser, site)
    here.upload("image.png", png_bytes(5, columns=FAINT_COLUMNS))
    here.done()
    yield here
    here.leave()


def luminance(color: str) -> float:
    """Relative luminance of a CSS color, WCAG 2.2."""
    parts = [int(each) / 255 for each in re.findall(r"\d+", color)[:3]]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def panes(here: Visit) -> list[str]:
    return [each.get_attribute("data-pane") for each in here.page.locator(".jv-cases .pane").all()]


def test_contrast_has_its_hand_values():
    assert contrast("rgb(0, 0, 0)", "rgb(255, 255, 255)") == pytest.approx(21)
    assert contrast("rgb(118, 118, 118)", "rgb(255, 255, 255)") == pytest.approx(4.54, abs=0.01)


def test_a_case_worth_less_than_2_percent_takes_no_pane(faint):
    page = faint.page
    assert panes(faint) == ["case-0", "case-1", "case-9"]
    folded = page.locator(".folded")
    assert folded.locator("summary").inner_text() == (
        "2 more similar cases: the reading beside each is less than 2 % of the answer."
    )
    assert not page.is_visible("[data-folded=case-2]")
    folded.locator("summary").click()
    row = page.inner_text("[data-folded=case-2]")
    assert all(
        words in row for words in ("#3", "found by text", "malignant", "1.0 % of the answer")
    )

    button = page.locator("[data-unfold=case-2]")
    button.click()
    assert panes(faint) == ["case-0", "case-1", "case-2", "case-9"]
    assert (button.inner_text(), button.get_attribute("aria-pressed")) == ("Hide image", "true")
    button.click()
    assert panes(faint) == ["case-0", "case-1", "case-9"]

    page.click('[data-pane="case-0"] [data-action=remove]')
    page.wait_for_selector(".removed-note")
    assert panes(faint) == ["case-0", "case-1", "case-2", "case-3", "case-9"]  # they count now
    assert page.locator(".folded").count() == 0
    page.click("[data-action=restore-all]")
    page.wait_for_selector(".removed-note", state="detached")
    assert panes(faint) == ["case-0", "case-1", "case-9"]


def test_axe_finds_no_serious_fault_in_the_list_of_folded_cases(faint):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    faint.page.click(".folded summary")
    for _ in range(2):
        assert serious_faults(axe, faint.page) == []
        faint.page.click("[data-action=theme]")
        faint.page.wait_for_timeout(400)
    faint.page.click(".folded summary")


def test_similarity_is_on_one_scale_in_the_order_of_ranks(case, faint):
    for here, first, is_told in ((case, "99.4", 0), (faint, "35.2", 1)):
        page = here.page
        said = page.locator(".jv-cases .likeness").all_inner_texts()
        figures = [
            float(re.search(r"closer than ([\d.]+) % of random pairs, image to", each)[1])
            for each in said
        ]
        assert figures == sorted(figures, reverse=True)
        assert said[0].startswith(f"found by image and by text; closer than {first} %")
        assert page.locator(".others-none").count() == is_told
    assert faint.page.inner_text(".others-none").startswith("No similar case in this collection")


def test_this_patient_and_others_have_two_colors_that_are_nothing_else(case):
    page = case.page
    found = []
    for _ in range(2):
        patient, others = page.evaluate(STYLES, HEADS)
        ground = page.evaluate(STYLES, ["body"])[0][1]
        for words, bar in (patient, others):
            assert contrast(words, bar) >= 4.5
            assert contrast(bar, ground) >= 3
        found.append((patient[1], others[1]))
        page.click("[data-action=theme]")
        page.wait_for_timeout(400)
    assert found[0] == found[1], "the same in both themes"
    assert found[0][0] != found[0][1]
    assert page.inner_text('[data-pane="query"] .pane-title') == "This patient"
    assert page.inner_text('[data-pane="case-0"] .pane-title') == "Other patient #1"


def test_selection_is_a_mark_and_no_color(case):
    page = case.page
    page.focus(".jv")
    before, marked = page.evaluate(FRAMES), page.evaluate(MARKED)
    page.keyboard.press("ArrowRight")
    assert page.evaluate(FRAMES) == before
    assert len(marked) == len(page.evaluate(MARKED)) == 1
    assert page.evaluate(MARKED) != marked
    page.keyboard.press("ArrowLeft")


def test_no_word_lies_over_an_image(case):
    page = case.page
    page.focus(".jv")
    for key in ("u", "h"):
        page.keyboard.press(key)
    assert page.locator(".stage").count() == 6
    assert "".join(page.locator(".stage").all_text_contents()).strip() == ""
    assert page.inner_text('[data-pane="query"] .box-list') == "malignant 0.81"
    for key in ("u", "h"):
        page.keyboard.press(key)


def test_known_and_read_have_a_legend_in_words(case):
    legend = case.page.inner_text(".legend")
    assert text.KNOWN_MEANS in legend
    assert text.READ_MEANS in legend
    names = case.page.locator('[data-pane="case-0"] .line-name').all_text_contents()
    assert names == ["Known", "Read"]


def test_the_page_has_words_for_clinicians(visit, faint):
    assert NO_WORDS_FOR_CLINICIANS.search("domain 0.976")
    here = visit()
    said = {"empty": here.page.evaluate(SAID)}
    here.page.focus(".jv")
    here.example(0)
    here.done()
    here.page.keyboard.press("?")
    said["finished"] = here.page.evaluate(SAID)
    here.page.click('[data-pane="case-0"] [data-action=remove]')
    here.page.wait_for_selector(".removed-note")
    said["without a case"] = here.page.evaluate(SAID)
    here.page.click("[data-action=restore-all]")
    here.page.wait_for_selector(".removed-note", state="detached")
    said["restored"] = here.page.evaluate(SAID)
    said["no similar case"] = faint.page.evaluate(SAID)
    for state, words in said.items():
        assert "JOMED" in words
        assert not NO_WORDS_FOR_CLINICIANS.search(words), state


def test_what_a_simulated_collection_means_is_said_once(case):
    said = case.page.evaluate(SAID)
    assert case.page.inner_text(".others-simulated") == text.OTHERS_SIMULATED.format(count="1,200")
    assert len(re.findall(r"collection is simulated|none is a patient|no evidence", said)) == 3
    notes = case.page.locator(".jv-cases .pane-note").all_inner_texts()
    assert notes == ["simulated"] * 5
