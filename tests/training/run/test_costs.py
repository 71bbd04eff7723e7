"""Costs of a run: counted while it runs, kept when it stops, added up when it is resumed."""

from __future__ import annotations

import json
import threading
import time

import pytest

from jomed_app.errors import RecordError
from jomed_app.training.run.costs import (
    COLUMNS,
    COSTS_FILE,
    LOOK_EVERY_S,
    RunCosts,
    StageCost,
    cost_rows,
    read_costs,
    record_costs,
)


def ignore(done, total, **figures):
    """Show nothing."""


def cost(**changes):
    fixed = {"runs": 1, "wall_s": 60, "cpu_s": 90, "steps": 5, "items": 2, "peak_bytes": 2**30}
    return StageCost(**{**fixed, **changes})


def spend(run, stage="reader", *, adds_up=False, told=ignore, steps=3):
    with record_costs(run, stage, told, adds_up=adds_up) as on_progress:
        on_progress(1, 1)
        for step in range(steps):
            on_progress(step + 1, steps, loss=0.5)


def test_a_stage_is_counted(tmp_path):
    told = []
    start = time.process_time()
    with record_costs(
        tmp_path, "reader", lambda *steps, **figures: told.append((steps, figures)), adds_up=False
    ) as on_progress:
        on_progress(1, 4)
        on_progress(2, 4, loss=0.5)
        while time.process_time() - start < 0.05:
            pass
    found = read_costs(tmp_path).stages["reader"]
    assert told == [((1, 4), {}), ((2, 4), {"loss": 0.5})]
    assert (found.runs, found.steps, found.items) == (1, 1, 1)
    assert found.wall_s >= 0.03
    assert 0.03 <= found.cpu_s < 5, "os.times counts in hundredths"
    assert found.peak_bytes > 2**20


def test_resumed_runs_add_up_and_others_start_anew(tmp_path):
    spend(tmp_path)
    spend(tmp_path, "retriever")
    first = read_costs(tmp_path).stages["reader"]
    spend(tmp_path, adds_up=True, steps=4)
    second = read_costs(tmp_path).stages["reader"]
    assert (second.runs, second.steps, second.items) == (2, 7, 2)
    assert second.wall_s > first.wall_s
    assert second.peak_bytes >= first.peak_bytes
    spend(tmp_path, adds_up=False)
    stages = read_costs(tmp_path).stages
    assert (stages["reader"].runs, stages["reader"].steps) == (1, 3)
    assert list(stages) == ["reader", "retriever"]


def test_what_was_spent_is_kept_while_it_runs_and_when_it_fails(tmp_path):
    def fail():
        with record_costs(tmp_path, "align", ignore, adds_up=False, every_s=0.0) as on_progress:
            on_progress(1, 9, loss=0.5)
            assert read_costs(tmp_path).stages["align"].steps == 1
            on_progress(2, 9, loss=0.5)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert read_costs(tmp_path).stages["align"].steps == 2
    assert [path.name for path in tmp_path.iterdir()] == [COSTS_FILE]


def test_the_peak_is_that_of_the_stage(tmp_path):
    """Not of what came before it, and not of what is left at its end."""
    with record_costs(tmp_path, "large", ignore, adds_up=False):
        block = bytearray(b"x") * (256 * 2**20)
        time.sleep(4 * LOOK_EVERY_S)
        del block
    with record_costs(tmp_path, "small", ignore, adds_up=False):
        pass
    stages = read_costs(tmp_path).stages
    assert stages["large"].peak_bytes - stages["small"].peak_bytes > 128 * 2**20


def test_nobody_looks_at_the_memory_afterwards(tmp_path):
    spend(tmp_path)
    assert "memory watch" not in {thread.name for thread in threading.enumerate()}


def test_nothing_is_kept_of_a_run_that_is_not_there(tmp_path):
    spend(tmp_path / "mistyped")
    assert list(tmp_path.iterdir()) == []


def test_rows_end_with_the_sum():
    whole = RunCosts(
        cores=2,
        stages={"align": cost(), "reader": cost(wall_s=3601.4, runs=2, peak_bytes=3 * 2**30)},
    )
    rows = cost_rows(whole)
    assert rows == [
        ["align", "1", "0:01:00", "0:01:30", "5", "2", "1.00"],
        ["reader", "2", "1:00:01", "0:01:30", "5", "2", "3.00"],
        ["all", "", "1:01:01", "0:03:00", "10", "4", "3.00"],
    ]
    assert {len(row) for row in rows} == {len(COLUMNS)}
    alone = RunCosts(cores=2, stages={"align": cost(peak_bytes=0)})
    assert cost_rows(alone) == [["align", "1", "0:01:00", "0:01:30", "5", "2", "–"]]


def test_missing_or_damaged_costs_are_named(tmp_path):
    with pytest.raises(RecordError, match=r"found none at 'costs\.json'; run train first"):
        read_costs(tmp_path)
    (tmp_path / COSTS_FILE).write_text(json.dumps({"schema": "jomed.costs/1", "cores": 2}))
    with pytest.raises(RecordError, match=r"must follow schema jomed\.costs/1: stages"):
        read_costs(tmp_path)
    with (
        pytest.raises(RecordError, match="delete it to count anew"),
        record_costs(tmp_path, "align", ignore, adds_up=True),
    ):
        pass
    (tmp_path / COSTS_FILE).write_text('{"schema": "jomed.costs/9", "cores": 2, "stages": {}}')
    with pytest.raises(RecordError, match="schema"):
        read_costs(tmp_path / COSTS_FILE)
