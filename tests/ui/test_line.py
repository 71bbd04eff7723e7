"""The line in front of the model: order, places, estimates, a cap, and what a left case leaves."""

from __future__ import annotations

import asyncio
import threading

import pytest

from jomed_app.errors import LineError
from jomed_app.ui import text
from jomed_app.ui.line import Line


class Clock:
    now = 10.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


async def place_of(turn) -> tuple[int, float | None]:
    """The first place a turn hears of; 0 if it is its turn."""
    async for place in turn.places():
        return place
    return 0, None


async def read(turn, steps=(1, 2)) -> list[int]:
    return [step async for step in turn.steps(iter(steps))]


def test_cases_are_read_in_the_order_they_came(clock):
    async def visit() -> list[str]:
        line, order = Line(5, clock), []

        async def case(name: str) -> None:
            with line.join() as turn:
                async for _ in turn.places():
                    pass
                order.extend([f"{name}{step}" for step in await read(turn)])

        await asyncio.gather(*(case(name) for name in "abc"))
        assert len(line) == 0
        return order

    assert asyncio.run(visit()) == ["a1", "a2", "b1", "b2", "c1", "c2"]


def test_places_count_from_the_next_and_move_up(clock):
    async def visit() -> None:
        line = Line(5, clock)
        first, second, third = line.join(), line.join(), line.join()
        assert [(await place_of(turn))[0] for turn in (first, second, third)] == [0, 1, 2]
        with second:
            pass  # gives up
        assert (await place_of(third))[0] == 1
        with first:
            pass
        assert (await place_of(third))[0] == 0

    asyncio.run(visit())


def test_the_seconds_follow_what_cases_took(clock):
    async def visit() -> list[float | None]:
        line = Line(5, clock)
        first, _, third = line.join(), line.join(), line.join()
        seconds = [(await place_of(third))[1]]  # nothing was read yet
        with first:
            await read(first)
            clock.now += 4
        seconds.append((await place_of(third))[1])
        return seconds

    assert asyncio.run(visit()) == [None, 4.0]


def test_a_case_that_was_not_read_says_nothing_of_seconds(clock):
    async def visit() -> float | None:
        line = Line(5, clock)
        first, _, third = line.join(), line.join(), line.join()
        with first:
            clock.now += 100
        return (await place_of(third))[1]

    assert asyncio.run(visit()) is None


def test_the_line_is_capped_and_closed_with_a_sentence(clock):
    async def visit() -> None:
        line = Line(2, clock)
        turns = [line.join() for _ in range(3)]
        with pytest.raises(LineError, match=r"at most 2 cases may wait.*again in a minute"):
            line.join()
        with turns[1]:
            pass
        line.join()
        line.close()
        with pytest.raises(LineError, match="being stopped"):
            line.join()
        assert await read(turns[0]) == [1, 2]  # those in the line are still read
        with turns[2]:
            pass
        line.join(was_accepted=True)  # its file was being decoded when the end was asked for

    asyncio.run(visit())


def test_a_step_over_its_budget_is_a_fault_while_it_runs(clock):
    async def visit() -> None:
        line, may_end = Line(2, clock), threading.Event()
        with line.join() as turn:
            step = asyncio.create_task(turn.call(may_end.wait))
            await asyncio.sleep(0)
            clock.now += 60
            assert line.faults(60) == []
            clock.now += 1
            assert line.faults(60) == ["a step of a case is over its budget"]
            may_end.set()
            await step
            assert line.faults(60) == []
        assert line.faults(60) == []

    asyncio.run(visit())


def test_a_case_that_is_left_in_a_step_is_closed_and_never_runs_beside_the_next(clock):
    events, may_end = [], threading.Event()

    def slow():
        try:
            events.append("first begins")
            may_end.wait(20)
            events.append("first ends")
            yield 1
            events.append("never")
        finally:
            events.append("first closed")

    async def leaves(line: Line) -> None:
        with line.join() as turn:
            async for _ in turn.steps(slow()):
                pass

    async def visit() -> None:
        line = Line(2, clock)
        task = asyncio.create_task(leaves(line))
        while not events:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with line.join() as turn:
            call = asyncio.create_task(turn.call(lambda: events.append("second")))
            await asyncio.sleep(0.05)
            may_end.set()
            await call

    asyncio.run(visit())
    assert events == ["first begins", "first ends", "first closed", "second"]


def test_an_error_of_a_step_reaches_its_case_and_the_line_goes_on(clock):
    def faulty():
        yield 1
        raise ValueError("no")

    async def visit() -> list[int]:
        line = Line(2, clock)
        with pytest.raises(ValueError, match="no"), line.join() as turn:
            [step async for step in turn.steps(faulty())]
        with line.join() as turn:
            return await read(turn)

    assert asyncio.run(visit()) == [1, 2]


@pytest.mark.parametrize(
    ("place", "seconds", "sentence"),
    [
        (1, None, "Waiting for the model: 1st in line."),
        (3, 3.6, "Waiting for the model: 3rd in line, about 4 s."),
        (12, 0.2, "Waiting for the model: 12th in line, about 1 s."),
    ],
)
def test_the_sentence_of_a_place(place, seconds, sentence):
    assert text.waiting_status(place, seconds) == sentence
