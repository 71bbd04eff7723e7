"""Moving weights, the strip of answers and the report text, in the system's Chromium."""

from __future__ import annotations

import json

import pytest

from tests.ui.test_browser import browser, case, pytestmark, serious_faults, visit

__all__ = ["browser", "case", "pytestmark", "visit"]  # fixtures and marks, used by name

SLIDER = "[data-move=case-1]"


def document(page) -> dict:
    return json.loads(page.locator("[data-source=json]").text_content())


def test_a_weight_is_moved_by_keys_and_one_reset_brings_the_answer_back(case):
    page = case.page
    own = document(page)
    assert "moved" not in own
    case.unfold("influence")
    page.focus(SLIDER)
    for times in ("1.4", "2", "2.8", "4"):  # half a doubling each
        page.keyboard.press("ArrowRight")
        page.wait_for_selector(f'{SLIDER}[aria-valuetext^="{times} times"]')
        assert page.evaluate("document.activeElement.dataset.move") == "case-1", "the focus stays"
    assert page.inner_text(".final-name") == "benign"
    assert page.inner_text(".tag-moved") == "moved by you"
    assert page.locator(".answer .final-count").count() == 0
    assert page.locator(".agreement .rate").count() == 0
    assert page.is_visible(".influence .weight-slider"), "what was open stays open"
    moved = document(page)
    assert moved["moved"]["factors"] == {"case-1": 4.0}
    images = page.locator(".pane .stage img")
    assert all(each.evaluate("(img) => img.naturalWidth > 0") for each in images.all())

    page.click(".influence [data-action=restore-all]")
    page.wait_for_selector(".removed-note", state="detached")
    assert document(page) == own
    assert page.inner_text(".final-name") == "malignant"


def test_the_strip_reads_the_other_search_when_it_is_asked(visit):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    here = visit(width=390, height=844)
    page = here.page
    here.example(0)
    here.done()
    assert page.locator(".strip-one").all_inner_texts()[0].split() == ["Standard", "RAG", "Read"]
    page.click("[data-answer=standard]")
    page.wait_for_selector(".strip-one.is-shown >> text=Standard RAG")
    page.wait_for_selector(".strip [data-answer=joint]")
    first, second = (each.split("\n") for each in page.locator(".strip-one").all_inner_texts())
    assert first[0] == "Standard RAG"
    assert " ".join(first[1:]).split() == ["malignant", page.inner_text(".final-value")]
    assert "malignant" in " ".join(second)
    here.unfold("influence")
    assert serious_faults(axe, page) == []
    assert here.overflow() <= 0
    page.click("[data-answer=joint]")
    page.wait_for_selector(".strip-one.is-shown >> text=Jointly optimised")


def test_a_report_text_is_chosen_edited_and_copied_by_one_key(visit):
    here = visit(permissions=["clipboard-read", "clipboard-write"])
    page = here.page
    here.example(0)
    here.done()
    here.unfold("report-text")
    area = page.locator("[data-report-lines]")
    assert [each.input_value() for each in page.locator("[data-report-choice]").all()] == [""] * 3
    assert "Location: not stated." in area.input_value()
    area.fill(area.input_value().replace("Shape: irregular.", "Shape: irregular, my words."))
    page.select_option("[data-report-choice=side]", "Right")
    page.select_option("[data-report-choice=hour]", "10")
    page.wait_for_function(
        "document.querySelector('[data-report-lines]').value.includes(\"right breast, 10 o'clock\")"
    )
    assert "my words" in area.input_value(), "what was edited stays"
    page.focus(".jv")
    page.keyboard.press("t")
    page.wait_for_selector("[data-action=copy-report] >> text=Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == area.input_value()
    assert copied.endswith("Not for diagnosis.")

    here.example(1)  # of another patient nothing stays
    page.wait_for_function(
        "(() => { const area = document.querySelector('[data-report-lines]');"
        " return area && !area.value.includes('my words'); })()"
    )
    assert "Location: not stated." in area.input_value()
    assert page.input_value("[data-report-choice=side]") == ""
