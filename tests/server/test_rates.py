"""Token buckets by hand values, and the answer to one who asks too often."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jomed_app.server.rates import MOST_BUCKETS, Buckets, RateLimit
from tests.server.asking import ask, page
from tests.server.test_drain import Clock


@pytest.fixture
def clock():
    return Clock()


def test_a_bucket_holds_a_minutes_tokens_and_fills_steadily(clock):
    buckets = Buckets(60, clock)
    assert [buckets.take("a") for _ in range(60)] == [0.0] * 60
    assert buckets.take("a") == pytest.approx(1.0)  # one token a second
    clock.now += 0.4
    assert buckets.take("a") == pytest.approx(0.6)
    clock.now += 0.6
    assert buckets.take("a") == 0.0
    assert buckets.take("b") == 0.0  # another's bucket is full


def test_given_back_is_as_if_never_taken(clock):
    buckets = Buckets(1, clock)
    for _ in range(5):
        assert buckets.take("a") == 0.0
        buckets.give_back("a")


@given(st.lists(st.floats(0, 30), max_size=60), st.integers(1, 100))
def test_never_more_than_a_bucket_and_what_flowed_in(pauses, per_minute):
    clock = Clock()
    began = clock.now
    buckets = Buckets(per_minute, clock)
    granted = 0
    for pause in pauses:
        clock.now += pause
        granted += sum(buckets.take("a") == 0.0 for _ in range(3))
    assert granted <= per_minute * (1 + (clock.now - began) / 60) + 1e-6


def test_the_number_of_buckets_is_bounded_by_dropping_full_ones(clock):
    buckets = Buckets(1, clock)
    buckets.take("poor")
    for number in range(MOST_BUCKETS):
        buckets.take(str(number), 0.0)
    assert len(buckets) == 2  # the full ones went, and one came
    assert buckets.take("poor") > 0  # and nobody gained by it


def test_one_who_asks_too_often_is_told_when_to_come_back(clock):
    app = RateLimit(page(), 2, clock)
    asked = {"path": "/gradio_api/queue/join", "method": "POST"}
    assert [ask(app, **asked).status for _ in range(3)] == [200, 200, 429]
    answer = ask(app, **asked)
    assert answer.headers["retry-after"] == "30"
    assert "wait 30 s" in answer.sentence
    assert ask(app, client=("192.0.2.9", 1), **asked).status == 200
    assert ask(app, path="/").status == 200  # to look costs nothing
    clock.now += 30
    assert ask(app, **asked).status == 200


def test_dragging_a_window_costs_an_eighth_and_no_limit_is_none(clock):
    app = RateLimit(page(), 2, clock)
    drag = {"path": "/gradio_api/component_server/", "method": "POST"}
    assert [ask(app, **drag).status for _ in range(17)] == [200] * 16 + [429]
    free = RateLimit(page(), 0, clock)
    assert {ask(free, **drag).status for _ in range(50)} == {200}
