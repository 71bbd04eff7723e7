"""The page in the system's Chromium: a case, linked zoom, removal, privacy, phone, contrast."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ui.fake_engine import png_bytes
from tests.ui.serve_fake import TITLES
from tests.ui.visit import PANE, Visit

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not CHROMIUM.exists() or shutil.which("chromium") is None,
        reason="needs the system's Chromium at /usr/bin/chromium (apt-get install chromium)",
    ),
]


@pytest.fixture(scope="module")
def browser() -> Iterator:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def case(browser, site) -> Iterator[Visit]:
    """One finished example that several tests look at; each starts from the fitted view."""
    here = Visit(browser, site)
    here.example(0)
    here.done()
    yield here
    here.leave()


@pytest.fixture
def visit(browser, site):
    visits = []

    def start(**options) -> Visit:
        visits.append(Visit(browser, site, **options))
        return visits[-1]

    yield start
    for each in visits:
        each.leave()


def test_a_case_from_a_refused_file_to_removal_and_purge(visit, site):
    here = visit()
    page = here.page
    here.upload("evil.png", b"MZ this is a program")
    page.wait_for_selector(".banner[role=alert]")
    assert "Traceback" not in page.content()
    here.upload("DOE_JOHN_19500101.png", png_bytes(11))
    here.done()
    assert page.locator(".banner").count() == 0
    assert site.traces() == []
    assert "DOE" not in page.content()

    assert page.locator(".jv-cases .pane").count() == 5
    assert page.locator(".card .known").count() == 5
    assert page.locator(".card .model b").all_inner_texts() == [
        "malignant",
        "benign",
        "malignant",
        "malignant",
    ]
    assert page.inner_text(".final-name") == "malignant"
    warning = page.locator(".answer-standing").bounding_box()
    final = page.locator(".final-name").bounding_box()
    assert warning["y"] + warning["height"] <= final["y"]
    assert page.locator('[data-pane="query"] .box-line.box-predicted').count() == 1
    assert page.locator('[data-pane="query"] .box-words').all_inner_texts() == ["malignant 0.81"]
    assert page.locator('[data-pane="case-0"] .box-line.box-known').count() == 1
    assert page.inner_text('[data-pane="case-3"] .stage-words') == "no region marked"
    assert page.locator("script:text('alert')").count() == 0

    page.click('[data-pane="case-0"] [data-action=remove]')
    page.wait_for_selector("text=Moved by you: without 1 similar case")
    assert page.inner_text(".final-name") == "benign"
    page.click("[data-action=restore-all]")
    page.wait_for_selector(".removed-note", state="detached")
    assert page.inner_text(".final-name") == "malignant"

    page.click("#jomed-toolbar [data-part=purge]")
    page.wait_for_selector(".jv-empty-title >> visible=true")
    assert page.locator(".pane").count() == 0
    assert page.locator(".final-name").count() == 0


def test_a_hostile_title_is_shown_letter_by_letter(case):
    titles = case.page.locator(".example > span").all_text_contents()
    assert titles == [f"{title}simulated" for title in TITLES]


def test_zoom_is_linked_and_keeps_offsets(case):
    here, page = case, case.page
    page.click("[data-do=fit]")
    panes = ["query", "case-0", "case-1", "case-2", "case-3", "case-9"]
    assert {here.zoom(pane) for pane in panes} == {1.0}
    for pane in ("query", "case-2", "case-9"):
        before = here.zoom("query")
        here.wheel(pane, -200)
        assert {here.zoom(each) for each in panes} == {here.zoom("query")}
        assert here.zoom("query") > before
    page.click("[data-do=fit]")
    assert {here.zoom(pane) for pane in panes} == {1.0}

    page.click("[data-do=link]")
    here.wheel("case-0", -200)
    offset = here.zoom("case-0")
    assert offset > 1.2
    assert here.zoom("query") == 1.0
    page.click("[data-do=link]")
    assert here.zoom("case-0") == offset  # re-linking keeps the alignment
    here.wheel("query", -200)
    assert here.zoom("case-0") / here.zoom("query") == pytest.approx(offset, rel=0.01)

    area = page.locator(PANE.format("query")).bounding_box()
    before = page.get_attribute(PANE.format("case-1"), "data-center")
    page.mouse.move(area["x"] + 100, area["y"] + 100)
    page.mouse.down()
    page.mouse.move(area["x"] + 60, area["y"] + 80)
    page.mouse.up()
    assert page.get_attribute(PANE.format("case-1"), "data-center") != before


def test_keys_threshold_and_window(case):
    here, page = case, case.page
    page.click("[data-do=fit]")
    page.focus("#jomed-toolbar [data-part=purge]")
    page.keyboard.press("b")
    boxes = page.locator('[data-pane="query"] .box-line')
    assert boxes.count() == 1  # the viewer has no focus yet
    page.focus(".jv")
    page.keyboard.press("b")
    assert boxes.count() == 0
    page.keyboard.press("b")
    for _ in range(8):
        page.keyboard.press("]")
    assert page.inner_text('[data-pane="query"] .stage-words') == (
        "No abnormality above this threshold (0.90); 2 boxes below it. This does not mean normal."
    )
    for _ in range(14):
        page.keyboard.press("[")
    assert boxes.count() == 2
    page.keyboard.press("ArrowRight")
    assert page.get_attribute(".pane.is-selected", "data-pane") == "case-0"
    page.keyboard.press("+")
    assert here.zoom("query") == pytest.approx(1.25)
    page.keyboard.press("i")
    assert "invert" in page.locator('[data-pane="query"] img').evaluate("n => n.style.filter")
    page.keyboard.press("?")
    assert page.is_visible("[data-part=help]")
    page.keyboard.press("?")

    first = page.get_attribute('[data-pane="query"] img', "src")
    final = page.inner_text(".final")
    page.keyboard.press("2")
    page.wait_for_function(
        "old => document.querySelector('[data-pane=query] img').src !== old", arg=first
    )
    assert page.inner_text(".final") == final
    assert page.inner_text("[data-part=window-note]").startswith("Display only")
    page.keyboard.press("Space")
    assert page.get_attribute('[data-pane="query"] img', "src") == first
    assert here.zoom("query") == 1.0


def test_stop_and_run_again(visit):
    here = visit()
    here.example(2)  # the slow one
    here.page.wait_for_selector('[data-pane="case-0"]')
    here.page.click("#jomed-toolbar [data-part=cancel]")
    here.page.wait_for_selector("#jomed-toolbar [data-part=again] >> visible=true")
    here.page.wait_for_timeout(1200)
    assert here.page.locator(".final-name").count() == 0
    assert here.page.locator(".pane").count() == 1
    here.page.click("#jomed-toolbar [data-part=again]")
    here.done()
    assert here.page.locator(".pane").count() == 6


NOTE_STATUS = """() => {
  window.said = new Set();
  const note = () => window.said.add(document.querySelector('#jomed-status').innerText.trim());
  new MutationObserver(note).observe(document.body, {subtree: true, childList: true});
}"""
CLICK_LATER = """([number, after]) => setTimeout(
  () => document.querySelector(`[data-example="${number}"]`).click(), after)"""


def test_a_visitor_who_waits_is_told_the_place_in_line(visit):
    first, second = visit(), visit()
    second.page.evaluate(NOTE_STATUS)
    second.page.evaluate(CLICK_LATER, [0, 1500])
    first.page.evaluate(CLICK_LATER, [2, 0])  # the slow one: five seconds
    second.done()
    said = second.page.evaluate("[...window.said].join('; ')")
    assert "Waiting for the model: 1st in line" in said
    assert second.page.inner_text(".final-name") == "malignant"


def test_two_visitors_have_their_own_cases(visit):
    first, second = visit(), visit()
    first.upload("a.png", png_bytes(21))
    first.done()
    assert second.page.locator(".pane").count() == 0
    second.upload("b.png", png_bytes(22))
    second.done()
    second.page.click('[data-pane="case-0"] [data-action=remove]')
    second.page.wait_for_selector(".removed-note")
    assert first.page.locator(".removed-note").count() == 0
    pictures = [
        each.page.get_attribute('[data-pane="query"] img', "src") for each in (first, second)
    ]
    assert pictures[0] != pictures[1]


def test_the_phone_layout(visit):
    here = visit(width=390, height=844, theme="light", has_touch=True)
    page = here.page
    assert here.overflow() <= 0
    here.example(0)
    here.done()
    assert here.overflow() <= 0
    strip = page.locator(".jv-cases")
    assert strip.evaluate("n => n.scrollWidth > n.clientWidth + 100")
    query = page.locator('[data-pane="query"]').bounding_box()
    candidate = page.locator('[data-pane="case-0"]').bounding_box()
    assert query["y"] + query["height"] <= candidate["y"]
    small = page.evaluate(
        """() => [...document.querySelectorAll('[id^=jomed-] button, [id^=jomed-] summary')]
            .filter(n => n.offsetParent && n.getBoundingClientRect().height < 39.5)
            .map(n => n.textContent)"""
    )
    assert small == []


def serious_faults(axe, page) -> list[tuple[str, list[str]]]:
    """Return what axe finds serious or critical: the rule, and the first places."""
    found = axe.Axe().run(page, context="[id^='jomed-']").response["violations"]
    return [
        (fault["id"], [node["html"][:120] for node in fault["nodes"]][:4])
        for fault in found
        if fault["impact"] in ("serious", "critical")
    ]


def test_axe_finds_no_serious_fault_in_either_theme(case):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    color = "getComputedStyle(document.body).backgroundColor"
    colors = set()
    case.unfold("passport")
    case.page.locator(".card summary >> nth=0").click()
    for _ in range(2):
        colors.add(case.page.evaluate(color))
        assert serious_faults(axe, case.page) == []
        case.page.click("[data-action=theme]")
        case.page.wait_for_timeout(400)
    assert len(colors) == 2  # the button did switch


def test_the_api_calls_name_this_server(case, site):
    case.page.evaluate(
        "navigator.clipboard.writeText = async (words) => { window.copied = words; }"
    )
    case.unfold("elsewhere")
    case.page.click("[data-copy=curl]")
    case.page.wait_for_function("window.copied")
    copied = case.page.evaluate("window.copied")
    assert f"{site.url}gradio_api/call/diagnose" in copied
    assert "{base}" not in copied
