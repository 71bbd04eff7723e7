"""What is drawn and read, and what stops the reading."""

from __future__ import annotations

import asyncio

import pytest

from jomed_app.errors import JomedError
from jomed_app.server.pages.failures import FIRST_SEED, FailureReading, read_simulated
from jomed_app.simulator.case import simulate_case
from jomed_app.ui.line import Line
from jomed_app.ui.panels.pages.failures import Failure
from tests.ui.fake_engine import FakeEngine


def test_only_wrong_answers_are_failures():
    case, result = read_simulated(FakeEngine(), FIRST_SEED)
    assert case.record == simulate_case(FIRST_SEED).record
    answer = str(result.final.prediction)
    known = {
        name: case.record.model_copy(update={"label": name}) for name in ("benign", "malignant")
    }
    shown = {
        name: Failure.of(type(case)(case.image, record, case.mask), result)
        for name, record in known.items()
    }
    assert shown[answer] is None
    (failure,) = [each for each in shown.values() if each is not None]
    assert failure.answer == answer
    assert failure.drawn != answer
    assert failure.seed == FIRST_SEED
    refused = result.model_copy(
        update={"final": result.final.model_copy(update={"prediction": None})}
    )
    assert Failure.of(case, refused) is None


def run_until_over(reading: FailureReading) -> None:
    async def wait() -> None:
        reading.start()
        while not reading.state.is_over:
            await asyncio.sleep(0.01)

    asyncio.run(wait())


def test_a_fault_stops_it_with_a_sentence_and_it_can_be_asked_for_again():
    engine = FakeEngine(fault=JomedError("the model must answer, found silence; ask again"))
    reading = FailureReading(engine, Line(1), count=2)
    run_until_over(reading)
    assert reading.state.stopped == "the model must answer, found silence; ask again"
    assert reading.state.read == 0
    engine.fault = None
    run_until_over(reading)
    assert reading.state.stopped == ""
    assert reading.state.read == 2


def test_a_server_that_ends_reads_no_more():
    line = Line(1)
    line.close()
    reading = FailureReading(FakeEngine(), line, count=2)
    run_until_over(reading)
    assert "being stopped" in reading.state.stopped


def test_a_run_without_a_result_is_a_fault():
    class Silent(FakeEngine):
        def run(self, *args, **kwargs):
            return iter(())

    with pytest.raises(JomedError, match="a run must end with a result"):
        read_simulated(Silent(), FIRST_SEED)
