"""What a training run costs, stage by stage: time, steps and memory, kept in `<run>/costs.json`.

Written while a stage runs, so that a stage that is stopped leaves what it has cost so far.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import psutil
from pydantic import ConfigDict, Field, ValidationError

from jomed_app.errors import RecordError, first_fault
from jomed_app.progress import OnProgress
from jomed_app.storage.durable import write_file
from jomed_app.types import Frozen

COSTS_FILE = "costs.json"
COLUMNS = ("stage", "runs", "wall", "CPU", "optimizer steps", "other steps", "peak memory, GiB")
LOOK_EVERY_S = 0.05  # between two looks at the memory; a shorter peak is not seen


class StageCost(Frozen):
    """What one stage has cost, over all its runs."""

    runs: int = Field(description="how often it was started; resumed ones add up")
    wall_s: float
    cpu_s: float = Field(description="of the process and of those it started and waited for")
    steps: int = Field(description="optimizer steps")
    items: int = Field(description="other steps told: cases simulated or read, batches encoded")
    peak_bytes: int = Field(description="most resident memory of the process; 0: not known")


class RunCosts(Frozen):
    """The costs of a run, schema `jomed.costs/1`."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_: str = Field(default="jomed.costs/1", alias="schema", pattern=r"^jomed\.costs/1$")
    cores: int = Field(description="logical cores of the machine that ran last")
    stages: dict[str, StageCost]


@contextmanager
def record_costs(
    run: Path, stage: str, on_progress: OnProgress, *, adds_up: bool, every_s: float = 10.0
) -> Iterator[OnProgress]:
    """Count what the block costs and write it to the run's `costs.json`.

    Memory of other processes and of accelerators is not counted.

    Args:
        run: folder of the run; nothing is kept where there is none.
        stage: name of the entry.
        on_progress: is told what the yielded one is told.
        adds_up: whether the entry that is there already is added to, or replaced.
        every_s: least time between two writes while it runs, seconds.

    Yields:
        An `OnProgress` that counts: a report with a loss is an optimizer step.

    Raises:
        RecordError: if a file is there that does not follow the schema.
    """
    known = read_costs(run).stages if (run / COSTS_FILE).is_file() else {}
    before = known.get(stage) if adds_up else None
    memory = _MemoryWatch()
    start_s, start_cpu_s = time.monotonic(), _cpu_seconds()
    steps, items, written_s = 0, 0, start_s

    def write() -> None:
        if not run.is_dir():
            return
        cost = StageCost(
            runs=1,
            wall_s=time.monotonic() - start_s,
            cpu_s=_cpu_seconds() - start_cpu_s,
            steps=steps,
            items=items,
            peak_bytes=memory.look(),
        )
        _write(run, known | {stage: _sum(before, cost) if before else cost})

    def report(done: int, total: int, **figures: float) -> None:
        nonlocal steps, items, written_s
        if "loss" in figures:
            steps += 1
        else:
            items += 1
        if time.monotonic() - written_s >= every_s:
            written_s = time.monotonic()
            write()
        on_progress(done, total, **figures)

    memory.start()
    try:
        yield report
    finally:
        memory.stop()
        write()


def read_costs(run: Path) -> RunCosts:
    """Read a run's costs, from its folder or from the file itself.

    Raises:
        RecordError: if the file is missing or does not follow the schema.
    """
    path = run / COSTS_FILE if run.is_dir() else run
    if not path.is_file():
        raise RecordError(f"costs must be a file, found none at '{path.name}'; run train first")
    try:
        return RunCosts.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        raise RecordError(
            f"'{path.name}' must follow schema jomed.costs/1: {first_fault(error, 'file')}; "
            "delete it to count anew"
        ) from error


def cost_rows(costs: RunCosts) -> list[list[str]]:
    """Return the cells of a table under `COLUMNS`: a line per stage, and their sum."""
    stages = list(costs.stages.items())
    rows = [[name, str(each.runs), *_cells(each)] for name, each in stages]
    if len(stages) > 1:
        whole = stages[0][1]
        for _, each in stages[1:]:
            whole = _sum(whole, each)
        rows.append(["all", "", *_cells(whole)])
    return rows


def _cells(cost: StageCost) -> list[str]:
    peak = f"{cost.peak_bytes / 2**30:.2f}" if cost.peak_bytes else "–"
    return [_clock(cost.wall_s), _clock(cost.cpu_s), str(cost.steps), str(cost.items), peak]


def _sum(first: StageCost, second: StageCost) -> StageCost:
    """Both together; memory is the larger one."""
    return StageCost(
        runs=first.runs + second.runs,
        wall_s=first.wall_s + second.wall_s,
        cpu_s=first.cpu_s + second.cpu_s,
        steps=first.steps + second.steps,
        items=first.items + second.items,
        peak_bytes=max(first.peak_bytes, second.peak_bytes),
    )


def _write(run: Path, stages: dict[str, StageCost]) -> None:
    costs = RunCosts(cores=os.cpu_count() or 1, stages=stages)
    write_file(run / COSTS_FILE, costs.model_dump_json(indent=1, by_alias=True) + "\n")


def _cpu_seconds() -> float:
    """Of this process, all its threads, and of processes it has waited for."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


class _MemoryWatch(Thread):
    """Looks at this process's resident memory again and again, and keeps the most it saw."""

    def __init__(self) -> None:
        super().__init__(name="memory watch", daemon=True)
        self._process, self._stopped = psutil.Process(), Event()
        self._most_bytes = 0

    def run(self) -> None:
        while not self._stopped.wait(LOOK_EVERY_S):
            self.look()

    def look(self) -> int:
        """Look once more; return the most bytes seen so far."""
        self._most_bytes = max(self._most_bytes, int(self._process.memory_info().rss))
        return self._most_bytes

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()
        self.join()


def _clock(seconds: float) -> str:
    """Return h:mm:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
