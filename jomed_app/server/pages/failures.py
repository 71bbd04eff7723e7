"""Reads simulated cases with the model that runs here, once, when somebody asks for it.

They are drawn from seeds that no corpus uses, one at a time and in the visitors' own line, so that
a visitor's case waits for one of them at most. Only what went wrong is kept, for all visitors.
"""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace

from PIL import Image

from jomed_app.errors import JomedError
from jomed_app.imaging import read_image
from jomed_app.simulator.case import SimulatedCase, simulate_case
from jomed_app.types import Completed, Result
from jomed_app.ui.line import Line
from jomed_app.ui.panels.pages.failures import Failure, Failures
from jomed_app.ui.protocol import ReadingEngine

COUNT = 24  # ours: about twenty seconds on two cores, and a few failures among them
FIRST_SEED = 930_000  # corpora count from 0, the examples that ship from 900,000


class FailureReading:
    """The reading and its state; used from the server's event loop alone.

    Args:
        engine: reads.
        line: in which cases wait for it.
        count: cases.
    """

    def __init__(self, engine: ReadingEngine, line: Line, count: int = COUNT) -> None:
        self._engine = engine
        self._line = line
        self._task: asyncio.Task[None] | None = None
        self.state = Failures(total=count)

    def start(self) -> None:
        """Begin, unless that was done; one that was stopped begins anew."""
        if self._task is None or (self._task.done() and self.state.stopped):
            self.state = Failures(total=self.state.total, asked=True)
            self._task = asyncio.get_running_loop().create_task(self._read())

    async def _read(self) -> None:
        for seed in range(FIRST_SEED, FIRST_SEED + self.state.total):
            try:
                with self._line.join() as turn:
                    async for _ in turn.places():
                        pass
                    case, result = await turn.call(read_simulated, self._engine, seed)
            except JomedError as error:
                self.state = replace(self.state, stopped=str(error), is_over=True)
                return
            failure = Failure.of(case, result)
            has_answer = result.final.prediction is not None and not result.final.abstained
            self.state = replace(
                self.state,
                read=self.state.read + 1,
                abstained=self.state.abstained + (not has_answer),
                wrong=(*self.state.wrong, *([failure] if failure else ())),
            )
        self.state = replace(self.state, is_over=True)


def read_simulated(engine: ReadingEngine, seed: int) -> tuple[SimulatedCase, Result]:
    """Draw a case and read it, as a file that a visitor opens.

    Args:
        engine: reads.
        seed: of the simulator.

    Raises:
        JomedError: what the engine raises.
    """
    case = simulate_case(seed)
    png = io.BytesIO()
    Image.fromarray(case.image).save(png, format="PNG")
    for event in engine.run(read_image(png.getvalue())):
        if isinstance(event, Completed):
            return case, event.result
    raise JomedError("a run must end with a result, found none; report this with the version")
