"""An upload that the server refuses, in the system's Chromium: its own sentence is on the page."""

from __future__ import annotations

from functools import partial

import pytest

from jomed_app.server.privacy.uploads import FULL, NO_FORM, SLOW, TOO_LARGE
from jomed_app.server.rates import TOO_OFTEN
from tests.ui.fake_engine import png_bytes
from tests.ui.test_browser import browser, pytestmark, visit

__all__ = ["browser", "pytestmark", "visit"]  # fixtures and marks, used by name

UPLOAD = "**/gradio_api/upload*"
REFUSALS = {
    429: TOO_OFTEN.format(seconds=17),
    503: FULL,
    413: TOO_LARGE.format(limit=3),
    408: SLOW.format(seconds=120),
}


def banner_after_upload(here) -> str:
    here.upload("image.png", png_bytes(4))
    here.page.wait_for_selector(".banner[role=alert]")
    said = here.page.inner_text(".banner[role=alert]")
    # the browser's own line about a failed request is not a fault of the page
    here.faults[:] = [each for each in here.faults if "Failed to load resource" not in each]
    return said


def opens_again(here) -> bool:
    here.page.unroute(UPLOAD)
    here.upload("image.png", png_bytes(4))
    here.done()
    return here.page.locator(".banner").count() == 0


def refuse(route, status: int, sentence: str) -> None:
    route.fulfill(status=status, json={"detail": sentence})


def test_a_refused_upload_says_what_the_server_said(visit):
    here = visit()
    for status, sentence in REFUSALS.items():
        here.page.route(UPLOAD, partial(refuse, status=status, sentence=sentence))
        assert banner_after_upload(here) == f"Not done. {sentence}"
        assert opens_again(here)


def test_the_running_server_refuses_in_its_own_words(visit):
    here = visit()
    here.page.route(UPLOAD, lambda route: route.continue_(post_data="no form"))
    assert banner_after_upload(here) == f"Not done. {NO_FORM}"
    assert opens_again(here)


@pytest.mark.parametrize("body", ["<h1>502 Bad Gateway</h1>", '{"detail": ["x"]}'])
def test_a_proxy_in_front_gets_the_general_sentence(visit, body):
    here = visit()
    here.page.route(UPLOAD, lambda route: route.fulfill(status=502, body=body))
    said = banner_after_upload(here)
    assert said.startswith("Not done. The upload did not arrive. Files up to 3 MB are accepted")
    assert "Bad Gateway" not in here.page.inner_text("body")


def test_a_visitor_who_asks_too_often_is_told_so(visit):
    """The page's own next request is refused too: Gradio shows what that answer says."""
    here = visit()
    sentence = REFUSALS[429]
    for path in (UPLOAD, "**/gradio_api/queue/join*"):
        here.page.route(path, partial(refuse, status=429, sentence=sentence))
    here.upload("image.png", png_bytes(4))
    here.page.wait_for_selector(f"text={sentence}")
    assert "detail" not in here.page.inner_text("body")
    here.faults.clear()  # the failed requests, and what Gradio says of them
