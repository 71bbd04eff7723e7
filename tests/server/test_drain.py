"""Once told to end, the server takes no new case, and ends when nothing runs or time is up."""

from __future__ import annotations

import asyncio

import pytest

from jomed_app.server.drain import CLOSING, SETTLED_S, Drain, Draining
from tests.server.asking import ask, page


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def drain(clock):
    return Drain(8, clock)


def test_a_server_that_was_not_told_never_ends(drain, clock):
    clock.now += 1000
    assert not drain.is_over()


def test_an_idle_server_ends_at_once_and_a_busy_one_when_it_is_done(drain, clock):
    drain.enter()
    drain.begin()
    clock.now += 3
    assert not drain.is_over()
    drain.leave()
    assert not drain.is_over()  # the next request of the same case may be on its way
    clock.now += SETTLED_S
    assert drain.is_over()


def test_what_hangs_is_not_waited_for_beyond_the_limit(drain, clock):
    drain.enter()
    drain.begin()
    clock.now += 7.9
    drain.begin()  # told twice: the limit counts from the first time
    assert not drain.is_over()
    clock.now += 0.1
    assert drain.is_over()


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/", "GET", 503),
        ("/gradio_api/upload", "POST", 503),
        ("/gradio_api/call/diagnose", "POST", 503),
        ("/gradio_api/call/diagnose/1", "GET", 200),  # the answer of a case that runs
        ("/gradio_api/queue/join", "POST", 200),  # the next step of a case that runs
        ("/gradio_api/queue/data", "GET", 200),
        ("/healthz", "GET", 200),
    ],
)
def test_what_is_new_is_refused_and_what_runs_goes_on(drain, path, method, status):
    app = Draining(page(), drain)
    assert ask(app, path=path, method=method).status == 200
    drain.begin()
    answer = ask(app, path=path, method=method)
    assert answer.status == status
    if status == 503:
        assert answer.sentence == CLOSING
        assert answer.headers["retry-after"] == "60"


@pytest.mark.parametrize(
    ("path", "counts"), [("/gradio_api/queue/data", True), ("/gradio_api/heartbeat/x", False)]
)
def test_a_tab_left_open_does_not_hold_the_end_up(drain, clock, path, counts):
    inside = asyncio.Event()

    async def hanging(scope, receive, send):
        inside.set()
        await asyncio.sleep(60)

    async def visit() -> bool:
        from tests.server.asking import ask_async

        task = asyncio.create_task(ask_async(Draining(hanging, drain), path=path))
        await inside.wait()
        drain.begin()
        clock.now += 1
        over = drain.is_over()
        task.cancel()
        return over

    assert asyncio.run(visit()) is not counts
