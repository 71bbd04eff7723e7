"""Ask the same bytes again and again, in many processes at once: is it one answer?

Run: python -m benchmarks.reliability.determinism

Writes docs/results/reliability/determinism.json. More processes than cores are the load: each is
interrupted by the others all the time. The decoder process of each takes part.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.reliability.records import FOLDER, keep
from jomed_app import __version__
from jomed_app.cli.artifacts import DEFAULT_BUNDLE, DEFAULT_INDEX, REPOSITORY

IMAGE = REPOSITORY / "assets" / "examples" / "simulated-2.png"


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask, compare and write down; 1 where two answers differ."""
    chosen = _parse(arguments)
    start = time.monotonic()
    each = [chosen.times // chosen.processes] * chosen.processes
    each[0] += chosen.times - sum(each)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(chosen.processes, mp_context=context) as pool:
        asked = [pool.submit(answers, chosen, times) for times in each]
        told = [future.result() for future in asked]
    counts = Counter(digest for digests, _ in told for digest in digests)
    values = {
        "app": __version__,
        "answers": sum(counts.values()),
        "processes": len({process for _, (process, _) in told}),
        "cores": len(os.sched_getaffinity(0)),
        "different": len(counts) - 1,
        "versions": told[0][1][1],
        "load_at_end": round(os.getloadavg()[0], 1),
        "seconds": round(time.monotonic() - start, 1),
    }
    keep("determinism", values, chosen.out)
    return int(len(counts) != 1)


def answers(chosen: argparse.Namespace, times: int) -> tuple[list[str], tuple[int, dict[str, Any]]]:
    """Load an engine in this process and ask it.

    Returns:
        A hash of each result less its timings, this process's id, and the versions that answered.
    """
    from jomed_app.imaging.decoder import read_untrusted
    from jomed_app.inference.load import load_engine
    from jomed_app.types import Completed

    engine = load_engine(chosen.bundle, chosen.index, precision=chosen.precision)
    content, found = chosen.image.read_bytes(), []
    for _ in range(times):
        *_, completed = engine.run(read_untrusted(content))
        assert isinstance(completed, Completed), "the last event carries the result"
        plain = completed.result.model_dump(mode="json", by_alias=True)
        del plain["timings_ms"]
        found.append(hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest())
    return found, (os.getpid(), plain["versions"])


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image", type=Path, default=IMAGE)
    parser.add_argument("--times", type=int, default=100, help="answers in all")
    parser.add_argument("--processes", type=int, default=10)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--bundle", type=Path, default=DEFAULT_BUNDLE)
    parser.add_argument("--index", type=Path, default=DEFAULT_INDEX)
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the record")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
