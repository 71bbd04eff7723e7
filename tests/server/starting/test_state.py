"""How far the loading is, in words, and what ends it."""

from __future__ import annotations

import pytest

from jomed_app.errors import CancelledError
from jomed_app.server.starting.state import BEGINNING, GIB, Loaded, LoadState


@pytest.fixture
def clock():
    return [100.0]


@pytest.fixture
def state(clock):
    return LoadState(lambda: clock[0])


def test_before_anything_is_told_it_is_starting(state):
    assert state.now() == Loaded(BEGINNING)
    assert state.now().words == BEGINNING


def test_amount_share_and_time_left(state, clock):
    state("loading the reader", 0, 16 * GIB)
    clock[0] += 10
    state("loading the reader", 4 * GIB, 16 * GIB)
    assert state.now() == Loaded("loading the reader", 0.25, "4.0 of 16.0 GB", "about 00:30 left")
    assert state.now().words == "loading the reader, 4.0 of 16.0 GB, about 00:30 left"


def test_a_small_model_is_told_in_mb(state):
    state("loading the reader", 3 * 2**20, 12 * 2**20)
    assert state.now().amount == "3.0 of 12.0 MB"


def test_the_time_left_is_that_of_the_present_step(state, clock):
    state("checking", 0, GIB)
    clock[0] += 50
    state("checking", GIB, GIB)
    state("loading", 0, GIB)
    clock[0] += 2
    state("loading", GIB // 2, GIB)
    assert state.now().left == "about 00:02 left"


def test_within_the_first_second_no_time_is_told(state, clock):
    state("loading", 0, GIB)
    clock[0] += 0.5
    state("loading", GIB // 2, GIB)
    assert state.now().left == ""


def test_a_stop_ends_the_loading_at_its_next_piece(state):
    state("loading", 0, GIB)
    state.stop()
    with pytest.raises(CancelledError, match="stopped as asked"):
        state("loading", 1, GIB)
