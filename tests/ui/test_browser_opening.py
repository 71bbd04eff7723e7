"""A page that opens on a finished example, in the system's Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.ui.conftest import Site, serving
from tests.ui.fake_engine import png_bytes
from tests.ui.glance import Glance, is_seen
from tests.ui.page_client import PageClient
from tests.ui.test_browser import browser, pytestmark, serious_faults
from tests.ui.visit import Visit

__all__ = ["browser", "pytestmark"]  # a fixture and marks, used by name


@pytest.fixture(scope="module")
def opening_site(tmp_path_factory) -> Iterator[Site]:
    with serving(tmp_path_factory.mktemp("opening"), "opens") as served:
        yield served


@pytest.fixture
def visit(browser, opening_site):
    visits = []

    def start(**options) -> Visit:
        visits.append(Visit(browser, opening_site, **options))
        return visits[-1]

    yield start
    for each in visits:
        each.leave()


def captions(page) -> list[str]:
    return [each.strip() for each in page.locator(".caption >> visible=true").all_inner_texts()]


def test_it_opens_on_an_example_that_was_read_and_tells_its_story(visit):
    first = visit()
    page = first.page
    page.wait_for_selector(".final-name")
    page.wait_for_selector("[data-copy=json]")
    assert page.locator(".jv-empty-title >> visible=true").count() == 0
    said = captions(page)
    assert len(said) == 3
    assert "An example: a program drew this image as benign." in said[0]
    assert "malignant 3 of 4, benign 1 of 4" in said[1]
    assert "The answer, malignant, is wrong." in said[2]
    assert sum(len(each.split()) for each in said) <= 60, "three short ones"
    glance = Glance.at(page)
    assert glance.image_top < 200
    assert glance.image_share >= 0.2
    assert len(glance.words) <= 250

    second = visit(theme="light")  # finds it finished
    second.page.wait_for_selector(".final-name")
    assert captions(second.page) == said
    assert second.page.inner_text(".status-text").startswith("An example")
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    assert serious_faults(axe, second.page) == []


def test_an_image_of_one_s_own_replaces_it(visit):
    here = visit()
    page = here.page
    page.wait_for_selector("[data-copy=json]")
    example = page.get_attribute('[data-pane="query"] img', "src")
    here.upload("mine.png", png_bytes(33))
    page.wait_for_function(
        "old => document.querySelector('[data-pane=query] img').src !== old", arg=example
    )
    here.done()
    assert captions(page) == []
    assert "simulated" not in page.inner_text('[data-pane="query"] .pane-note')
    page.click("#jomed-toolbar [data-part=purge]")
    page.wait_for_selector(".jv-empty-title >> visible=true")
    assert page.locator(".pane").count() == 0, "a purged page stays empty"


def test_a_visitor_without_a_cookie_finds_the_page_empty(opening_site):
    """Nobody could tell whose case it is; the page says so once a file is opened."""
    with_cookie = PageClient(opening_site)
    assert "drew this image" in with_cookie.does("load") + with_cookie.does("load+run")
    with_cookie.leave()
    without = PageClient(opening_site, has_cookie=False)
    without.http.cookies.clear()
    assert "drew this image" not in without.does("load")
    without.leave()


@pytest.mark.parametrize(("width", "height"), [(820, 1180), (390, 844)])
def test_the_story_fits_smaller_screens(visit, width, height):
    here = visit(width=width, height=height)
    here.page.wait_for_selector("[data-copy=json]")
    assert here.overflow() <= 0
    assert is_seen(here.page, ".final-name")
    assert len(captions(here.page)) == 3


def test_a_link_opens_its_example_and_an_unknown_one_is_said(visit, browser, opening_site):
    page = visit().page
    page.wait_for_selector("[data-copy=json]")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.click(".examples > summary")
    page.click("[data-link='1']")
    page.wait_for_function("document.querySelector('[data-link=\"1\"]').textContent === 'Copied'")
    link = page.evaluate("navigator.clipboard.readText()")
    assert link == f"{opening_site.url}?example=1"

    linked = Visit(browser, replace(opening_site, url=link), theme="")
    other = linked.page
    other.wait_for_selector("[data-copy=json]")
    assert other.locator(".caption >> visible=true").count() <= 1, "not the one it opens with"
    assert "simulated" in other.inner_text('[data-pane="query"] .pane-note')
    other.set_input_files(
        "#jomed-toolbar input[type=file]",
        files=[{"name": "a.png", "mimeType": "image/png", "buffer": png_bytes(41)}],
    )
    other.wait_for_function("!location.search.includes('example')")

    linked.done()
    linked.leave()

    nowhere = replace(opening_site, url=f"{opening_site.url}?example=%3Cb%3Enobody")
    unknown = Visit(browser, nowhere, theme="")
    unknown.page.wait_for_selector(".banner[role=alert]")
    said = unknown.page.inner_text(".banner")
    unknown.leave()
    assert "This example is not part of the installation. Choose another." in said
    assert "nobody" not in said
