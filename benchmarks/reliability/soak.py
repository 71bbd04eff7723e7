"""Many visitors for a while, every answer checked against its own: was one lost, swapped, changed?

Run: python -m benchmarks.reliability.soak --users 50 --minutes 30 --keep
Half of the visitors call the API, half send the page's own events, each with a pause between two
files. What is right was answered before by the engine in this process, a file at a time. One file
in ten is none that can be read: its sentence is checked too. Memory is that of the server and its
decoders.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import httpx
from PIL import Image

from benchmarks import ROOT
from benchmarks.reliability.records import keep
from benchmarks.reliability.served import Served, served
from benchmarks.reliability.visitors import ApiVisitor, PageVisitor, RefusedError, Visitor
from benchmarks.speed.answer import bundle_name
from jomed_app.errors import JomedError
from jomed_app.imaging.decoder import read_untrusted
from jomed_app.inference.load import load_engine
from jomed_app.simulator import simulate_case
from jomed_app.ui.handlers import api

FIRST_SEED = 5_000_000  # far from every simulated corpus
ONE_BAD_IN = 10
PAUSE_S = 8.0  # mean of a visitor's pause; long enough that two cores keep up
WARM_SHARE = 0.2  # of the run, before memory is taken as settled
EVERY_S = 5.0
# What turns a visitor away without an answer; not a fault, but counted.
BUSY_SIGNS = ("queue is full", "429", "too many", "busy")


@dataclass(frozen=True, slots=True)
class Asked:
    """A file and what is right for it.

    Attributes:
        content: of the file.
        result: without timings; None where the file is to be refused.
        sentence: why it is refused; empty where it is answered.
    """

    content: bytes
    result: str | None
    sentence: str = ""


@dataclass(slots=True)
class Ledger:
    """What happened, written by all visitors."""

    counts: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def write(self, outcome: str, seconds: float | None = None, note: str = "") -> None:
        """Count one outcome; `note` is kept for what should not have happened."""
        with self.lock:
            self.counts[outcome] += 1
            if seconds is not None:
                self.seconds.append(seconds)
            if note:
                self.notes[note] += 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; 1 if an answer was lost, swapped or changed."""
    chosen = _parse(arguments)
    asked = prepare(chosen.files, chosen.bundle, chosen.index)
    with tempfile.TemporaryDirectory(prefix="jomed-soak-") as folder:
        with served(Path(folder), app_settings(chosen.users)) as app:
            values = soak(
                app, asked, users=chosen.users, seconds=60 * chosen.minutes, pause_s=chosen.pause
            )
        values["uploads_left"] = len(_uploads(Path(folder) / "tmp"))
    values = {
        "bundle": bundle_name(chosen.bundle),
        "pause_s": chosen.pause,
        "files": len(asked),
        **values,
    }
    sys.stdout.write(json.dumps(values, indent=1) + "\n")
    if chosen.keep:
        keep("soak", values)
    return int(bool(values["lost"] or values["swapped"] or values["differing"]))


def app_settings(users: int) -> str:
    """The `[app]` lines that let so many visitors of one address in."""
    return f"max_queue = {2 * users}\nrequests_per_minute = 0"


def prepare(count: int, bundle: Path, index: Path) -> list[Asked]:
    """Make files and answer each once, alone.

    Args:
        count: of files; every `ONE_BAD_IN`-th cannot be read.
        bundle: folder.
        index: folder.
    """
    engine = load_engine(bundle, index)
    asked = []
    for number in range(count):
        content = _bad_file(number) if number % ONE_BAD_IN == ONE_BAD_IN - 1 else _file(number)
        try:
            image = read_untrusted(content)
            asked.append(Asked(content, without_timings(api.diagnose(engine, image))))
        except JomedError as error:
            asked.append(Asked(content, None, str(error)))
    return asked


def soak(
    app: Served, asked: Sequence[Asked], *, users: int, seconds: float, pause_s: float
) -> dict[str, Any]:
    """Let visitors come for a while.

    Args:
        app: that runs.
        asked: each visitor takes files in an order of its own.
        users: at once; even ones by the API, odd ones by the page.
        seconds: after this nobody sends another file; what was sent is waited for.
        pause_s: mean of a visitor's pause between two files.

    Returns:
        Plain values: counts of outcomes, waiting times, memory.
    """
    ledger, end = Ledger(), time.monotonic() + seconds
    known = {each.result for each in asked if each.result is not None}
    memory: list[tuple[float, float]] = []
    done = threading.Event()
    watch = threading.Thread(target=_watch, args=(app, memory, done))
    crowd = [
        threading.Thread(target=_visit, args=(app.url, number, asked, known, ledger, end, pause_s))
        for number in range(users)
    ]
    watch.start()
    for visitor in crowd:
        visitor.start()
    for visitor in crowd:
        visitor.join()
    done.set()
    watch.join()
    counts = ledger.counts
    settled = [mb for at, mb in memory if at >= WARM_SHARE * seconds] or [memory[-1][1]]
    quarter = max(1, len(settled) // 4)
    first, last = median(settled[:quarter]), median(settled[-quarter:])
    cuts = quantiles(ledger.seconds, n=20) if len(ledger.seconds) > 1 else [0.0] * 19
    return {
        "users": users,
        "minutes": round(seconds / 60, 2),
        "sent": sum(counts.values()),
        "answered_right": counts["answered"],
        "refused_right": counts["refused"],
        "turned_away": counts["turned away"],
        "lost": counts["lost"],
        "swapped": counts["swapped"],
        "differing": counts["differing"],
        "notes": dict(ledger.notes.most_common(10)),
        "seconds_median": round(cuts[9], 2),
        "seconds_p95": round(cuts[18], 2),
        "memory_mb_settled": round(first, 1),
        "memory_mb_at_end": round(last, 1),
        "memory_mb_highest": round(max(mb for _, mb in memory), 1),
        "memory_growth": round(last / first - 1, 4),
    }


def judge(asked: Asked, result: dict[str, Any], known: set[str]) -> str:
    """Say what an answer is: answered, swapped (that of another file) or differing."""
    if (told := without_timings(result)) == asked.result:
        return "answered"
    return "swapped" if told in known else "differing"


def without_timings(result: dict[str, Any]) -> str:
    """A result as text, less how long its steps took."""
    return json.dumps({**result, "timings_ms": None}, sort_keys=True)


def _visit(
    url: str,
    number: int,
    asked: Sequence[Asked],
    known: set[str],
    ledger: Ledger,
    end: float,
    pause_s: float,
) -> None:
    """One visitor: a file, a pause, the next file."""
    chance = random.Random(number)
    time.sleep(chance.uniform(0, pause_s))
    visitor: Visitor | None = None
    while time.monotonic() < end:
        case, begun = chance.choice(asked), time.monotonic()
        try:
            if visitor is None:
                visitor = ApiVisitor(url) if number % 2 == 0 else PageVisitor(url)
            outcome, note = judge(case, visitor.ask(case.content), known), ""
        except RefusedError as error:
            outcome, note = _refused(case, str(error))
        except (httpx.HTTPError, KeyError, StopIteration) as error:
            outcome, note = "lost", type(error).__name__
        ledger.write(outcome, time.monotonic() - begun if outcome == "answered" else None, note)
        time.sleep(chance.expovariate(1 / pause_s))
    if visitor is not None:
        visitor.leave()


def _refused(case: Asked, sentence: str) -> tuple[str, str]:
    """What a refusal is: the right one, a busy sign, or an answer that was lost."""
    if case.sentence and case.sentence.casefold() in sentence.casefold():  # shown with a capital
        return "refused", ""
    if any(sign in sentence.lower() for sign in BUSY_SIGNS):
        return "turned away", sentence[:120]
    return "lost", sentence[:120]


def _watch(app: Served, memory: list[tuple[float, float]], done: threading.Event) -> None:
    """Write down the memory in use every few seconds."""
    begun = time.monotonic()
    while True:
        memory.append((time.monotonic() - begun, app.resident_mb()))
        if done.wait(EVERY_S):
            return


def _uploads(folder: Path) -> list[Path]:
    """Files that lie in upload folders."""
    return [each for each in folder.glob("jomed-uploads-*/**/*") if each.is_file()]


def _file(number: int) -> bytes:
    """A simulated image as PNG or JPEG."""
    stream = io.BytesIO()
    image = Image.fromarray(simulate_case(FIRST_SEED + number).image)
    image.save(stream, "JPEG" if number % 3 == 0 else "PNG", **({"quality": 92}))
    return stream.getvalue()


def _bad_file(number: int) -> bytes:
    """A file that cannot be read: cut short, or none at all."""
    return (b"no image", _file(number)[:900], bytes(128) + b"DICM" + bytes(40))[number % 3]


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else "")
    parser.add_argument("--users", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--pause", type=float, default=PAUSE_S, help="mean pause of a visitor, s")
    parser.add_argument("--files", type=int, default=60)
    parser.add_argument("--bundle", type=Path, default=ROOT / "assets" / "bundle")
    parser.add_argument("--index", type=Path, default=ROOT / "index" / "simulated")
    parser.add_argument("--keep", action="store_true", help="as docs/results/reliability/soak.json")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
