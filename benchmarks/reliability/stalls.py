"""How long a visitor waits for an answer while files of another hang decoders.

Run: python -m benchmarks.reliability.stalls

Writes docs/results/reliability/stalls.json. The app runs as users start it, but that some files
hang a decoder until its time is over (`stalling.py`). One visitor sends such files without a pause:
none, one or several at a time. Another asks ordinary cases. All are measured by turns in one run,
since the machine may have other work; its load is written down.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from benchmarks.reliability.records import FOLDER, keep
from benchmarks.reliability.served import Served, served
from benchmarks.reliability.soak import Asked, judge, prepare
from benchmarks.reliability.stalling import STALL
from benchmarks.reliability.visitors import ApiVisitor, RefusedError
from benchmarks.speed.answer import bundle_name
from jomed_app.cli.artifacts import DEFAULT_BUNDLE, DEFAULT_INDEX

GOAL_S = 2.0  # an answer while one file hangs
SETTINGS = "requests_per_minute = 0\ntrusted_proxies = 1"
PROGRAM = ("-m", "benchmarks.reliability.stalling")
HOSTILE, OTHER = "192.0.2.1", "192.0.2.2"  # addresses of RFC 5737
FILES = 9  # none of them damaged, see `soak.prepare`
SETTLE_S = 1.0  # until the first hostile file is in its decoder


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write down; 1 where an answer was wrong or lost."""
    chosen = _parse(arguments)
    asked = prepare(FILES, chosen.bundle, chosen.index)
    with (
        tempfile.TemporaryDirectory(prefix="jomed-stalls-") as folder,
        served(Path(folder), SETTINGS, threads=chosen.threads, program=PROGRAM) as app,
    ):
        values = measure(app, asked, chosen.hanging, chosen.turns, chosen.answers)
    about = {"bundle": bundle_name(chosen.bundle), "goal_s": GOAL_S, "threads": chosen.threads}
    values = about | values
    keep("stalls", values, chosen.out)
    return int(any(each["wrong"] for each in values["hanging"].values()))


def measure(
    app: Served, asked: Sequence[Asked], hanging: Sequence[int], turns: int, answers: int
) -> dict[str, Any]:
    """Ask ordinary cases while so many files hang, by turns.

    Args:
        app: that runs, its program `stalling`.
        asked: ordinary files and what is right for each.
        hanging: hostile files that are sent at a time, one figure for each.
        turns: rounds over `hanging`.
        answers: asked in one round for each.

    Returns:
        Plain values; seconds of an answer by the number of files that hang.
    """
    spent: dict[int, list[float]] = {each: [] for each in hanging}
    wrong, ended = dict.fromkeys(hanging, 0), dict.fromkeys(hanging, 0)
    known = {each.result for each in asked if each.result is not None}
    load: list[float] = []
    visitor = ApiVisitor(app.url, OTHER)
    for each in asked:
        visitor.ask(each.content)  # what is made once is made
    for _ in range(turns):
        for count in hanging:
            with _hostile(app.url, count) as refused:
                for number in range(answers):
                    case, begun = asked[number % len(asked)], time.monotonic()
                    try:
                        right = judge(case, visitor.ask(case.content), known) == "answered"
                    except (RefusedError, httpx.HTTPError):
                        right = False
                    spent[count].append(time.monotonic() - begun)
                    wrong[count] += not right
                load.append(os.getloadavg()[0])
            ended[count] += len(refused)
    visitor.leave()
    return {
        "hanging": {
            str(count): {
                "answers": len(spent[count]),
                "wrong": wrong[count],
                "hostile_refused": ended[count],
                **_summary(spent[count]),
            }
            for count in hanging
        },
        "load_median": round(float(np.median(load)), 1),
        "load_highest": round(max(load), 1),
    }


@contextmanager
def _hostile(url: str, count: int) -> Iterator[list[str]]:
    """Keep so many hostile files with the app; what it said to each is listed."""
    done, said = threading.Event(), list[str]()

    def send() -> None:
        visitor = ApiVisitor(url, HOSTILE)
        while not done.is_set():
            try:
                visitor.ask(STALL)
            except RefusedError as error:
                said.append(str(error))
        visitor.leave()

    with ExitStack() as ends:
        for _ in range(count):
            thread = threading.Thread(target=send)
            thread.start()
            ends.callback(thread.join)
        if count:
            ends.callback(done.set)
            time.sleep(SETTLE_S)
        yield said


def _summary(seconds: Sequence[float]) -> dict[str, float]:
    middle, high = np.percentile(seconds, (50, 95))
    values = {"seconds_median": middle, "seconds_p95": high, "seconds_most": max(seconds)}
    return {name: round(float(value), 3) for name, value in values.items()}


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else "")
    parser.add_argument(
        "--hanging", type=int, nargs="+", default=[0, 1, 2, 6], help="files at a time"
    )
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--answers", type=int, default=10, help="of a turn, for each of --hanging")
    parser.add_argument("--threads", type=int, default=None, help="of the app; left out: its own")
    parser.add_argument("--bundle", type=Path, default=DEFAULT_BUNDLE)
    parser.add_argument("--index", type=Path, default=DEFAULT_INDEX)
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the record")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
