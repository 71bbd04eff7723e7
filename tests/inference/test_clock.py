from __future__ import annotations

import pytest

from jomed_app.inference.clock import Clock


@pytest.fixture
def ticks(monkeypatch):
    """Set what the clock reads next, in seconds."""
    times: list[float] = []
    monkeypatch.setattr("jomed_app.inference.clock.time.perf_counter", lambda: times.pop(0))
    return times


def test_each_mark_books_the_time_since_the_last(ticks):
    ticks += [10.0, 10.25, 11.0]
    clock = Clock(decode_ms=40.0)
    clock.mark("retrieve")
    clock.mark("read")
    timings = clock.timings()
    assert (timings.decode, timings.retrieve, timings.read) == (40.0, 250.0, 750.0)
    assert timings.total == 1040.0


def test_marks_of_one_step_add_up(ticks):
    ticks += [0.0, 1.0, 3.0, 3.5]
    clock = Clock(decode_ms=0.0)
    clock.mark("read")
    clock.mark("retrieve")
    clock.mark("read")
    assert clock.timings().read == 1500.0


def test_an_unknown_step_is_refused(ticks):
    ticks += [0.0, 1.0]
    with pytest.raises(KeyError, match="write"):
        Clock(decode_ms=0.0).mark("write")
