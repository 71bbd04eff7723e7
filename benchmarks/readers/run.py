"""Readers of transformers: time of one case beside the plain loop, and answers in fewer bits.

Run: python -m benchmarks.readers.run --out docs/results
All weights are random, since none are at hand: time and rounding depend on sizes, not on what was
learned. Both sides of a time see the same images, query by query in turn. Prints one JSON line;
`--out` also keeps it as a report and writes the page readers.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers

from benchmarks.kept import Measured
from benchmarks.machine import commit, hardware
from benchmarks.readers.cases import MIDDLE, reader_of
from benchmarks.readers.loop import time_both
from benchmarks.readers.precisions import compare
from benchmarks.threads import threads_set
from benchmarks.write_results import publish
from jomed_app.models.number_type import BF16_INSTRUCTIONS
from tests.tiny_vlms import FAMILIES


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print one JSON line and, with `--out`, write the result files."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else "")
    parser.add_argument("--families", nargs="+", default=list(FAMILIES), choices=FAMILIES)
    parser.add_argument("--queries", type=int, default=5)
    parser.add_argument("--middle-queries", type=int, default=3, help="0 leaves the larger one out")
    parser.add_argument("--k", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=None, help="folder of the page readers.md")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, threads_set(chosen.threads):
        values = measure(
            Path(folder), chosen.families, chosen.queries, chosen.middle_queries, chosen.k
        )
    result = {
        "benchmark": "readers",
        "hardware": hardware(),
        "bf16": [name for name in BF16_INSTRUCTIONS if torch.cpu.get_capabilities().get(name)],
        "threads": chosen.threads,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "commit": commit(),
        "k": chosen.k,
    } | values
    sys.stdout.write(json.dumps(result) + "\n")
    if chosen.out is not None:
        note = "Weights are random."
        publish("readers", result, Measured(note=note), chosen.out)
    return 0


def measure(
    root: Path, families: Sequence[str], queries: int, middle_queries: int, k: int
) -> dict[str, Any]:
    """Time every family in fp32, a larger model in fp32 and bf16, and compare precisions.

    Args:
        root: where models are written.
        families: by name.
        queries: timed of each.
        middle_queries: timed of the larger model; 0 leaves it out.
        k: candidates a query.
    """
    times = [(name, "fp32", queries) for name in families]
    if middle_queries:
        times += [(MIDDLE, precision, middle_queries) for precision in ("fp32", "bf16")]
    return {
        "times": [
            {"model": name, "precision": precision, "queries": count}
            | time_both(reader_of(name, root, precision), k, count)
            for name, precision, count in times
        ],
        "precisions": [row for name in families for row in compare(name, root)],
    }


if __name__ == "__main__":
    raise SystemExit(main())
