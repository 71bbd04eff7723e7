"""Visitors apart, over the running server: uploads at once, stolen ids, closed tabs."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx
import pytest

from jomed_app.imaging import read_image
from jomed_app.ui import text
from tests.ui.fake_engine import FakeEngine, png_bytes
from tests.ui.page_client import API, PageClient, diagnose

AT_ONCE = 30


@pytest.fixture
def visitor(site):
    made = []

    def start(session: str | None = None, **more) -> PageClient:
        made.append(PageClient(site, session, **more))
        return made[-1]

    yield start
    for each in made:
        each.leave()


def test_one_file_sent_by_thirty_at_once_is_answered_thirty_times(site):
    """Before, uploads of one content shared one file, and whoever read it first deleted it."""
    data, ready = png_bytes(31), threading.Barrier(AT_ONCE)
    expected = list(FakeEngine().run(read_image(data)))[-1].result.final.model_dump(mode="json")

    def send_and_ask(number: int) -> tuple[str, object]:
        with httpx.Client(base_url=site.url, timeout=120) as http:
            ready.wait()
            sent = http.post(API + "upload", files={"files": ("image.png", data)})
            (path,) = sent.json()
            while (came := diagnose(http, path))[0] == "queue full":
                time.sleep(0.1)
            name, answer = came
            return name, answer[0]["final"] if name == "complete" else answer

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(send_and_ask, range(AT_ONCE)))
    assert answers == [("complete", expected)] * AT_ONCE
    assert site.traces() == []


def test_a_path_is_good_for_one_call(visitor):
    here = visitor(has_cookie=False)
    path = here.upload("a.png", png_bytes(32))
    assert diagnose(here.http, path)[0] == "complete"
    name, answer = diagnose(here.http, path)
    assert (name, "taken already" in str(answer)) == ("error", True)


def test_the_id_of_a_session_alone_opens_nothing(visitor):
    victim = visitor()
    assert "Done" in victim.opens(png_bytes(33))
    for has_cookie in (True, False):
        thief = visitor(victim.session, has_cookie=has_cookie)
        for event in ("case_restore_all", "case_again", "case_frame", "case_search"):
            came = thief.does(event)
            assert text.NO_CASE in came
            assert "data:image" not in came
        assert text.STATUS_NOTHING in thief.does("case_purge")
    assert text.STATUS_RESTORED in victim.does("case_restore_all")


def test_the_messages_of_a_session_reach_its_holder_alone(visitor):
    victim = visitor()
    victim.does("case_file", {"path": victim.upload("a.png", png_bytes(34))})
    victim.join("case_file+run").raise_for_status()
    thief = visitor(victim.session)
    with pytest.raises(httpx.RemoteProtocolError):
        thief.heard()
    assert "Done" in str(victim.heard())


def test_a_thief_cannot_end_a_session(visitor):
    victim = visitor()
    victim.opens(png_bytes(35))
    thief = visitor(victim.session)
    with thief.http.stream("GET", f"{API}heartbeat/{victim.session}") as beats:
        next(beats.iter_lines())
    time.sleep(1)
    assert text.STATUS_RESTORED in victim.does("case_restore_all")


def test_a_closed_tab_ends_its_session(visitor):
    here = visitor()
    with here.http.stream("GET", f"{API}heartbeat/{here.session}") as beats:
        lines = beats.iter_lines()  # kept: the stream would be closed with it
        next(lines)
        here.opens(png_bytes(36))
        assert text.STATUS_RESTORED in here.does("case_restore_all")
    here.http.timeout = 5  # seconds; what its session's end took away is never answered
    for _ in range(20):
        with suppress(httpx.RemoteProtocolError, httpx.ReadTimeout):
            if text.NO_CASE in here.does("case_restore_all"):
                return
        time.sleep(0.1)
    raise AssertionError("the case must go with the tab")


def test_without_a_cookie_no_case_is_opened(visitor):
    here = visitor(has_cookie=False)
    for event, sent in (
        ("case_file", {"path": here.upload("a.png", png_bytes(37))}),
        ("case_example", {"number": 0}),
    ):
        came = here.does(event, sent)
        assert text.NO_SECRET in came
        assert "data:image" not in came
    assert text.NO_CASE in here.does("case_restore_all")


def test_nobody_makes_the_server_keep_a_session_on_disk(visitor, site):
    here = visitor()
    here.opens(png_bytes(38))
    for path in ("deep_link", f"deep_link?session_hash={here.session}"):
        assert here.http.get(API + path).status_code == 404
    assert site.traces() == []


def test_nobody_makes_the_server_fetch_an_address(visitor):
    here = visitor(has_cookie=False)
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.settimeout(1)
        address = f"http://127.0.0.1:{elsewhere.getsockname()[1]}/image.png"
        name, answer = diagnose(here.http, address)
        assert (name, "Send it again" in str(answer)) == ("error", True)
        with pytest.raises(TimeoutError):
            elsewhere.accept()
