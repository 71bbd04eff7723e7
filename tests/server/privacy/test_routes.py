"""Every route of the running app is listed; what is closed answers 404."""

from __future__ import annotations

import re
import urllib.error
import urllib.request

import pytest

from jomed_app.server.privacy.routes import CLOSED, OPEN, OpenRoutes
from tests.server.asking import ask, page


def filled(template: str) -> str:
    """A path template with something in every place."""
    return re.sub(r"\{[^}]+\}", "x", template)


def test_every_route_of_the_running_app_is_listed(site):
    found = set(site.facts["routes"])
    assert len(found) > 60, "the walk must have gone into the page"
    assert found - OPEN.keys() - CLOSED.keys() == set(), "decide, and list it with a reason"
    gone = (OPEN.keys() | CLOSED.keys()) - found
    assert gone == set(), "what the app no longer has must leave the list"
    assert OPEN.keys() & CLOSED.keys() == set()


def test_what_is_closed_answers_404_whatever_is_asked(site):
    for template in CLOSED:
        for method in ("GET", "POST"):
            request = urllib.request.Request(
                site.url.rstrip("/") + filled(template),
                data=b"{}" if method == "POST" else None,
                method=method,
            )
            with pytest.raises(urllib.error.HTTPError, match="404") as refused:
                urllib.request.urlopen(request, timeout=20)
            assert b"There is nothing at this address" in refused.value.read(), template
            refused.value.close()


@pytest.mark.parametrize("path", [*map(filled, OPEN), "/static/fonts/a.woff2"])
def test_what_is_open_is_handed_on(path):
    assert ask(OpenRoutes(page()), path=path).status == 200


@pytest.mark.parametrize(
    "path",
    ["/new", "/gradio_api/new", "/gradio_api/heartbeat/a/b", "//", "/config/x", "/gradio_api/",
     "/gradio_api/file=/etc/passwd", "/gradio_api/queue/join/", "/gradio_api/queue/join\n"],
)  # fmt: skip
def test_what_nobody_listed_is_closed(path):
    assert ask(OpenRoutes(page()), path=path).status == 404


def test_every_reason_is_given():
    assert all(OPEN.values())
    assert all(CLOSED.values())
