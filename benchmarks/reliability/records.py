"""Recorded runs: a JSON file a kind in docs/results/reliability, each written by its command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks import RESULTS
from benchmarks.machine import commit, hardware
from jomed_app.storage.durable import write_file

FOLDER = RESULTS / "reliability"


def keep(kind: str, values: dict[str, Any], folder: Path = FOLDER) -> None:
    """Write a run's record, with the machine and the commit that it was recorded on.

    Args:
        kind: of the run; the file's name without `.json`.
        values: plain values.
        folder: of the records.
    """
    record = {"kind": kind, "hardware": hardware(), "commit": commit(), **values}
    write_file(folder / f"{kind}.json", json.dumps(record, indent=1) + "\n")


def load(folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    """Return all records by kind.

    Raises:
        ValueError: if a file says another kind than its name.
    """
    records = {}
    for path in sorted(folder.glob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        if record.get("kind") != path.stem:
            raise ValueError(f"{path.name} must be of kind '{path.stem}', found another")
        records[path.stem] = record
    return records
