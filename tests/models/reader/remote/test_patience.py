from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from jomed_app.models.reader.remote.patience import (
    FAILURES,
    LONGEST_WAIT_S,
    REST_S,
    Breaker,
    wait_before,
)


def test_waits_double_with_a_random_part():
    for attempt, longest in [(1, 0.25), (2, 0.5), (3, 1.0), (20, LONGEST_WAIT_S)]:
        waits = {wait_before(attempt, None) for _ in range(20)}
        assert longest / 2 <= min(waits) < max(waits) <= longest


def test_what_the_server_says_wins():
    assert wait_before(1, "7") == 7.0
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert wait_before(1, later) == pytest.approx(30, abs=2)
    past = format_datetime(datetime.now(UTC) - timedelta(seconds=30), usegmt=True)
    assert wait_before(1, past) == 0.0


@pytest.mark.parametrize("nonsense", ["", "-3", "soon", "9" * 40, "٣"])
def test_nonsense_is_as_if_nothing_was_said(nonsense):
    assert wait_before(1, nonsense) <= 0.25


def test_a_server_that_fails_in_a_row_rests_and_is_tried_once():
    clock = [0.0]
    breaker = Breaker(lambda: clock[0])
    for _ in range(FAILURES - 1):
        breaker.failed()
    assert breaker.rest() == 0.0
    breaker.failed()
    assert breaker.rest() == REST_S
    clock[0] = REST_S
    assert breaker.rest() == 0.0, "one call is let through"
    assert breaker.rest() > 0, "the others wait for its answer"
    breaker.failed()
    assert breaker.rest() == REST_S
    clock[0] = 2 * REST_S
    assert breaker.rest() == 0.0
    breaker.worked()
    assert breaker.rest() == breaker.rest() == 0.0


def test_an_answer_in_between_starts_the_count_anew():
    breaker = Breaker(lambda: 0.0)
    for _ in range(3 * FAILURES):
        breaker.failed()
        breaker.worked()
    assert breaker.rest() == 0.0
