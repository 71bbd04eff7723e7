"""Own read first in the system's Chromium: by keyboard, on a phone, kept in this browser alone."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from jomed_app.feedback.store import read_judgements
from tests.ui.conftest import serving
from tests.ui.test_browser import browser, pytestmark, serious_faults
from tests.ui.visit import Visit

__all__ = ["browser", "pytestmark"]

LOG = "JSON.parse(localStorage.getItem('jomed.study') || '{\"rows\": []}').rows"
ANSWERS = (".final-name", ".answer-standing", ".box-predicted", "[data-copy=json]", ".caption")


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("study"), "opens", "feedback") as site:
        yield site


@pytest.fixture
def start(browser, served):
    visits = []

    def begin(**options) -> Visit:
        here = Visit(browser, served, **options)
        visits.append(here)
        here.page.wait_for_selector(".final-name")
        here.page.click("[data-action=study-switch]")
        here.page.wait_for_selector("[data-action=study-switch][aria-pressed=true]")
        here.example(0)
        here.page.wait_for_selector(".study-form")
        here.page.wait_for_function(
            "document.querySelector('.status-text').textContent.startsWith('Done')"
        )
        return here

    yield begin
    for each in visits:
        each.leave()


def read(page, category: str = "4A") -> None:
    page.select_option("[data-finding=shape]", "irregular")
    page.check(f"[name=study-category][value='{category}']", force=True)
    page.fill("[data-field=probability]", "30")
    page.check("[name=study-confidence][value=medium]", force=True)


def goes_on(page, number: int) -> None:
    page.click("[data-action=study-next]")
    page.wait_for_selector(f".study-bar b:text('{number} of 5')")


def test_a_read_before_the_answer_is_shown_step_by_step(start):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    here = start()
    page = here.page
    assert [each for each in ANSWERS if page.locator(each).count()] == []
    assert page.locator(".pane").count() == 1
    assert "malignant 0." not in page.content()
    assert serious_faults(axe, page) == []
    page.click("[data-action=study-next]")
    assert "at least one finding" in page.inner_text("[data-part=missing]")
    assert page.evaluate("document.activeElement.dataset.finding") == "shape"
    read(page)
    goes_on(page, 2)
    assert page.locator(".card .known").count() == 4
    assert page.locator(".card .model b").count() == 0
    assert page.locator(".card .is-waiting").first.inner_text().endswith("shown next")
    assert [each for each in ANSWERS if page.locator(each).count()] == []
    goes_on(page, 3)
    assert page.locator(".card .model b").count() == 4
    assert page.locator(".final-name").count() == 0
    goes_on(page, 4)
    assert page.inner_text(".final-name") == "malignant"
    assert page.locator(".box-predicted").count() == 0
    assert serious_faults(axe, page) == []
    goes_on(page, 5)
    page.wait_for_selector(".box-line.box-predicted")
    assert page.locator(".caption").count() == 0, "the truth waits for the last word"
    page.select_option("[data-field=category]", "3")
    page.click("[data-action=study-next]")
    page.wait_for_selector(".study-bar.is-done")
    assert "4A, 30 % → 3, 30 %. Drawn as benign: right" in page.inner_text(".study-bar")
    assert page.inner_text(".study-log") == "Of your last 1 read you changed 1: 1 right, 0 wrong."
    assert serious_faults(axe, page) == []

    page.fill("[data-field=reader]", "R7")
    page.press("[data-field=reader]", "Tab")
    with page.expect_download() as download:
        page.click("[data-action=study-csv]")
    rows = list(csv.DictReader(Path(download.value.path()).read_text().splitlines()))
    assert [row["step"] for row in rows] == ["unaided", "cases", "readings", "answer", "places"]
    assert {row["reader"] for row in rows} == {"R7"}
    assert [row["category"] for row in rows] == ["4A", "4A", "4A", "4A", "3"]
    assert all(len(row["case"]) == 12 and float(row["seconds"]) >= 0 for row in rows)
    assert "Case 0" not in json.dumps(rows)

    page.reload()
    page.wait_for_selector("#jomed-toolbar .tools")
    assert page.evaluate(f"{LOG}.length") == 5
    page.evaluate("localStorage.clear()")


def test_by_keyboard_on_a_phone_and_a_second_read_that_is_skipped(start):
    here = start(width=390, height=844)
    page = here.page
    assert here.overflow() <= 0
    page.focus("[data-finding=shape]")
    page.keyboard.press("i")  # the first value that begins so
    page.focus("[name=study-category][value='2']")
    page.keyboard.press("Space")
    page.focus("[data-field=probability]")
    page.keyboard.type("5")
    page.focus("[name=study-confidence][value=high]")
    page.keyboard.press("Space")
    page.focus("[data-action=study-next]")
    page.keyboard.press("Enter")
    page.wait_for_selector(".study-bar b:text('2 of 5')")
    page.wait_for_function("document.activeElement.dataset.action === 'study-next'")
    assert here.overflow() <= 0
    bar = page.locator(".study-bar").bounding_box()
    assert bar["y"] + bar["height"] <= 844 + 1
    assert bar["height"] < 844 / 3
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector(".study-bar.is-done")
    assert page.inner_text(".final-name") == "malignant"
    assert "not complete" in page.inner_text(".study-bar")
    assert page.inner_text(".study-log") == "No complete read is kept in this browser."
    assert page.evaluate(f"{LOG}.map((row) => row.step)") == ["unaided"]
    page.click("[data-action=study-clear]")
    assert page.evaluate("localStorage.getItem('jomed.study')") is None
    page.click("[data-action=study-close]")
    assert page.locator(".study-bar").count() == 0
    page.click("[data-action=study-switch]")
    page.wait_for_selector("[data-action=study-switch][aria-pressed=false]")
    here.example(1)
    here.done()
    assert page.locator(".study-open").count() == 0
    page.evaluate("localStorage.clear()")


def test_the_answer_is_judged_below_the_cases_and_goes_to_the_operator_s_file(browser, served):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    here = Visit(browser, served, width=390, height=844)
    page = here.page
    page.wait_for_selector(".final-name")
    page.focus(".judge > summary")
    page.keyboard.press("Enter")
    page.wait_for_selector(".judge-form")
    page.click("[data-action=judge-save]")
    page.wait_for_function(
        "document.querySelector('[data-part=judge-said]').textContent.includes('requires one of')"
    )
    for name, value in (
        ("judge-verdict", "disagree"),
        ("similar-case-1", "no"),
        ("place-0", "yes"),
    ):
        page.focus(f"[name='{name}'][value='{value}']")
        page.keyboard.press("Space")
    page.select_option("[data-judge=label]", "benign")
    page.fill("[data-judge=said]", "smooth margin")
    assert serious_faults(axe, page) == []
    assert here.overflow() <= 0
    page.click("[data-action=judge-save]")
    page.wait_for_function(
        "document.querySelector('[data-part=judge-said]').textContent.startsWith('Kept')"
    )
    (kept,) = read_judgements(served.folder / "feedback.sqlite")
    assert (kept.verdict, kept.label, kept.said) == ("disagree", "benign", "smooth margin")
    assert kept.similar == {"case-1": False}
    assert [mark.is_right for mark in kept.places] == [True]
    page.click("#jomed-toolbar [data-part=purge]")
    page.wait_for_selector(".judge", state="hidden")
    assert page.locator(".judge-form").count() == 0, "no form of a case that is gone"
    here.leave()
