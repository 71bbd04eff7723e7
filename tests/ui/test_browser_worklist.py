"""Several images at once, in the system's Chromium: read in turn, shown, marked, in a table."""

from __future__ import annotations

import csv
import io

import pytest

from tests.ui.fake_engine import png_bytes
from tests.ui.glance import Glance, is_seen
from tests.ui.test_browser import browser, pytestmark, serious_faults
from tests.ui.visit import Visit

__all__ = ["browser", "pytestmark"]  # fixtures and marks, used by name
INPUT = "#jomed-toolbar input[type=file]"
NAMES = ("DOE_JOHN.png", "broken.png", "second.png", "third.png")
SHOWN = "document.querySelector('[data-part=place]').textContent === '{}'"
ALL_READ = "document.querySelector('[data-part=progress]').textContent.startsWith('All')"


def files(*names: str) -> list[dict]:
    return [
        {
            "name": name,
            "mimeType": "image/png",
            "buffer": b"MZ a program" if "broken" in name else png_bytes(30 + number),
        }
        for number, name in enumerate(names)
    ]


@pytest.fixture(scope="module")
def here(browser, site):
    visit = Visit(browser, site, accept_downloads=True)
    visit.asked = []
    visit.page.on("request", lambda request: visit.asked.append(request.post_data_buffer or b""))
    visit.page.set_input_files(INPUT, files=files(*NAMES))
    visit.done()
    visit.page.wait_for_function(ALL_READ)
    yield visit
    visit.leave()


def rows(page) -> list[str]:
    """What the open list says of each image; it is closed again."""
    page.click(".wl summary")
    page.wait_for_selector(".wl-row >> nth=0")
    found = page.locator(".wl-row .wl-words").all_text_contents()
    page.keyboard.press("Escape")
    page.wait_for_selector(".wl-row", state="detached")
    return found


def test_all_are_read_behind_the_first_and_a_bad_one_stops_nothing(here):
    page = here.page
    page.wait_for_function(SHOWN.format("1/4"))
    first, broken, *others = rows(page)
    assert first.startswith("malignant 0.")
    assert broken.endswith(".")
    assert "Traceback" not in broken
    assert all(each.startswith("malignant 0.") for each in others)
    assert page.locator(".banner").count() == 0, "what is shown is not what was refused"


def test_the_first_screen_keeps_its_floors_with_a_list(here):
    here.page.evaluate("window.scrollTo(0, 0)")
    glance = Glance.at(here.page)
    assert glance.image_top < 200
    assert glance.image_share >= 0.2
    assert len(glance.words) <= 250, glance.words
    assert is_seen(here.page, ".final-name")
    assert here.overflow() <= 0


def test_keys_go_to_the_next_and_back_and_mark(here):
    page = here.page
    page.focus(".jv")
    token = page.get_attribute("[data-case]", "data-case")
    page.keyboard.press("n")
    page.wait_for_selector(".banner[role=alert]")
    assert page.inner_text(".banner").endswith(rows(page)[1]), "why it was refused, from the list"
    page.wait_for_function(SHOWN.format("2/4"))
    page.focus(".jv")
    page.keyboard.press("p")
    page.wait_for_function(SHOWN.format("1/4"))
    assert page.is_disabled("[data-list=previous]")
    page.click(".wl summary")
    page.click("[data-row='3']")
    page.wait_for_function(SHOWN.format("3/4"))
    assert page.inner_text(".status-text") == "From the list, as it was left."
    assert page.inner_text(".final-name") == "malignant"
    page.focus(".jv")
    page.keyboard.press("a")
    page.wait_for_selector("[data-list=again][aria-pressed=true]")
    page.keyboard.press("n")
    page.wait_for_function(SHOWN.format("4/4"))
    page.keyboard.press("d")
    page.wait_for_selector("[data-list=done][aria-pressed=true]")
    page.click(".wl summary")
    page.click("[data-row='1']")
    page.wait_for_function(SHOWN.format("1/4"))
    assert page.get_attribute("[data-case]", "data-case") == token, "the case as it was"


def test_the_table_has_a_row_an_image_and_no_name(here):
    page = here.page
    page.click(".wl summary")
    with page.expect_download() as caught:
        page.click("[data-list=table]")
    page.keyboard.press("Escape")
    table = list(csv.DictReader(io.StringIO(caught.value.path().read_text())))
    assert caught.value.suggested_filename == "jomed-worklist.csv"
    assert [row["number"] for row in table] == ["1", "2", "3", "4"]
    assert [row["state"] for row in table] == ["read", "refused", "read", "read"]
    assert [row["mark"] for row in table] == ["", "", "again", "done"]
    assert [row["answer"] for row in table] == ["malignant", "", "malignant", "malignant"]
    assert table[1]["not_read_because"].endswith(".")
    sent = b"".join(here.asked) + caught.value.path().read_bytes()
    for name in NAMES:
        assert name.encode() not in sent, "a file's name stays in the browser"
    page.click(".wl summary")
    page.wait_for_selector(".wl-row >> nth=0")
    assert page.locator(".wl-name").all_inner_texts() == list(NAMES)
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    assert serious_faults(axe, page) == []
    page.keyboard.press("Escape")
    page.wait_for_selector(".wl-row", state="detached")
    assert "DOE" not in page.content(), "names are there while the list is open"


def test_more_join_the_list_and_purge_empties_it(here):
    page = here.page
    page.set_input_files(INPUT, files=files("fifth.png"))
    page.wait_for_function(SHOWN.format("5/5"))
    here.done()
    assert len(rows(page)) == 5
    page.click("#jomed-toolbar [data-part=purge]")
    page.wait_for_selector(".jv-empty-title >> visible=true")
    page.wait_for_selector(".wl", state="hidden")
    assert page.locator(".wl-row").count() == 0
    assert "DOE" not in page.content()
    page.set_input_files(INPUT, files=files("one.png", "two.png"))
    here.done()
    page.wait_for_function(ALL_READ)
    page.wait_for_function(SHOWN.format("1/2"))
