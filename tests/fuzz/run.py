"""Throws damaged files at the decoders and counts hangs, untyped errors, leaks and memory.

Run: python -m tests.fuzz.run --seconds 900 --out docs/results/reliability
Input number N of a seed is the same file everywhere. Inputs are read in a process of their own. One
that ends it, by a fault of a native decoder, is read again as uploads are, in a worker of
`imaging.decoder`, where it must come to one of our errors; the run goes on behind it. The bombs
come first. A zip is no input of this app, so its paths and links are not tried. A record
keeps the runs that it held before beside the new one, each of another seed. Leaves with 1 if
anything was found.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import multiprocessing
import os
import random
import sys
import time
from collections.abc import Iterator
from itertools import chain, count, islice
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.reliability.records import keep, load
from jomed_app.errors import JomedError
from jomed_app.imaging.decoder import DecoderPool
from tests.fuzz.corpus import bombs, corpus, large_bombs
from tests.fuzz.judge import HANG_S, MOST_BYTES, Verdicts
from tests.fuzz.mutations import mutate

BLOCK = 10_000  # inputs a process
SILENT_S = 300.0  # wall clock without a word of a process, on a machine however busy
# A fork of a process that has all modules, where there is such a thing.
START = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"


def make_inputs(
    seed: int, files: list[bytes], are_bombs: bool, start: int
) -> Iterator[tuple[str, bytes]]:
    """Yield (name, file) from a place on: the bombs, or damaged files without end."""
    if are_bombs:
        named = ((f"bomb '{name}'", data) for name, data in chain(bombs(), large_bombs()))
        yield from islice(named, start, None)
        return
    for number in count(start):
        yield f"input {number}", mutate(random.Random(f"{seed}/{number}"), files)


def try_block(
    seed: int, files: list[bytes], are_bombs: bool, start: int, ends_at: float, told: Connection
) -> None:
    """Judge a block of inputs; before each, send the verdicts so far, and at the end True."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # native decoders say much
    os.environ["RUST_BACKTRACE"] = "0"  # a trace takes longer than its file
    verdicts = Verdicts()
    for name, data in islice(make_inputs(seed, files, are_bombs, start), BLOCK):
        told.send(verdicts)
        if time.time() > ends_at:
            break
        verdicts.judge(name, data)
    told.send(verdicts)
    told.send(True)


def run(seed: int, seconds: float) -> dict[str, Any]:
    """Try inputs until the time is up, and return the report as plain values.

    Args:
        seed: of all damage.
        seconds: wall clock; the bombs are tried whatever they take.
    """
    started, total, files = time.time(), Verdicts(), list(corpus().values())
    for are_bombs, ends_at in ((True, started + 1e9), (False, started + seconds)):
        place = 0
        while time.time() < ends_at:
            verdicts, is_done = _judged_apart(seed, files, are_bombs, place, ends_at)
            total.add(verdicts)
            place += verdicts.inputs
            if not is_done:
                name, data = next(make_inputs(seed, files, are_bombs, place))
                total.add(_read_as_an_upload(name, data))
                place += 1
            elif are_bombs:
                break
    return {
        "kind": "fuzz",
        "seed": seed,
        "seconds": round(time.time() - started, 1),
        "corpus": len(files),
        "limits": {"hang_s": HANG_S, "memory_mb": MOST_BYTES >> 20},
        "not_applicable": ["zip series with '..' and symlinks: a zip is no input"],
        **dataclasses.asdict(total),
    }


def _judged_apart(
    seed: int, files: list[bytes], are_bombs: bool, start: int, ends_at: float
) -> tuple[Verdicts, bool]:
    """Judge a block in a process of its own; False when that ended, or fell silent, on the next."""
    context = multiprocessing.get_context(START)
    told, telling = context.Pipe(duplex=False)
    process = context.Process(
        target=try_block, args=(seed, files, are_bombs, start, ends_at, telling)
    )
    process.start()
    telling.close()
    verdicts = Verdicts()
    try:
        while told.poll(SILENT_S):
            word = told.recv()
            if word is True:
                return verdicts, True
            verdicts = word
        return verdicts, False
    except EOFError:
        return verdicts, False
    finally:
        process.kill()
        process.join()


def _read_as_an_upload(name: str, data: bytes) -> Verdicts:
    """Judge a file that ended its process by what its user would be told."""
    with DecoderPool() as pool:
        try:
            pool.read_image(data)
        except JomedError:
            return Verdicts(inputs=1, refused=1, ended=1)
        except Exception as error:
            return Verdicts(inputs=1, untyped=1, faults=[f"{name}: {type(error).__name__}"])
    return Verdicts(inputs=1, untyped=1, faults=[f"{name}: its process ended without a cause"])


def earlier_runs(folder: Path) -> list[dict[str, Any]]:
    """Return the runs of a folder's record, oldest first, as plain values."""
    last = load(folder).get("fuzz")
    return [] if last is None else [*last.pop("earlier", []), last]


def main() -> int:
    """Run, print the report, keep it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=900.0)
    parser.add_argument("--seed", type=int, default=None, help="left out: a new one")
    parser.add_argument("--out", type=Path, default=None, help="folder of the record")
    chosen = parser.parse_args()
    earlier = [] if chosen.out is None else earlier_runs(chosen.out)
    if (seed := chosen.seed) is None:
        seed = 1 + max((each["seed"] for each in earlier), default=-1)
    elif seed in [each["seed"] for each in earlier]:
        parser.error(f"a seed that the record does not hold is required, found {seed} in it")
    multiprocessing.get_context(START).set_forkserver_preload(["tests.fuzz.judge"])
    report = run(seed, chosen.seconds)
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    if chosen.out is not None:
        keep("fuzz", report | {"earlier": earlier}, chosen.out)
    return int(any(report[name] for name in ("hangs", "untyped", "leaks", "over_memory")))


if __name__ == "__main__":
    sys.exit(main())
