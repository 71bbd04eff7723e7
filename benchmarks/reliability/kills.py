"""Kill work that keeps something, with SIGKILL at drawn moments, and see whether it goes on.

Run: python -m benchmarks.reliability.kills

Writes docs/results/reliability/kills.json. With `--every-step` the kills are not drawn: a child
process ends itself before and after every rename and every flush of the work, each once.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.reliability.kept_work import KEPT_WORK, KeptWork, faults_after
from benchmarks.reliability.records import FOLDER, keep
from jomed_app import __version__

KILLED = 9
STEPS = ("replace", "rename", "fsync", "unlink", "rmdir", "mkdir")


def main(arguments: Sequence[str] | None = None) -> int:
    """Kill, count and write down; 1 where something was lost."""
    chosen = _parse(arguments)
    with tempfile.TemporaryDirectory(prefix="jomed-kills-") as root:
        if chosen.every_step:
            values: dict[str, Any] = {
                name: killed_at_every_step(KEPT_WORK[name], Path(root) / str(place))
                for place, name in enumerate(chosen.work)
            }
            sys.stdout.write(json.dumps(values, indent=1) + "\n")
            return int(any(each["faults"] for each in values.values()))
        names = [chosen.work[place % len(chosen.work)] for place in range(chosen.count)]
        values = killed_at_drawn_moments(names, Path(root), chosen.seed)
    keep("kills", values, chosen.out)
    return int(bool(values["faults"]))


def killed_at_every_step(work: KeptWork, root: Path) -> dict[str, Any]:
    """End a process before and after each of the work's renames, flushes and removals.

    Returns:
        `steps`, how many there are, and `faults`, in words.
    """
    expected = _unbroken(work, root)
    faults: list[str] = []
    point = 0
    while True:
        folder = root / f"killed{point}"
        folder.mkdir()
        if not _ends_early(lambda: _run_until(work, folder, point)):  # noqa: B023 (used at once)
            return {"steps": point, "faults": faults}
        faults += [f"step {point}: {fault}" for fault in faults_after(work, folder, expected)]
        shutil.rmtree(folder)
        point += 1


def _run_until(work: KeptWork, folder: Path, point: int) -> None:
    """Do the work and end this process, without any clearing up, at one of its steps."""
    count = 0

    def here() -> None:
        nonlocal count
        if count == point:
            os._exit(KILLED)
        count += 1

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def step(*words: Any, **named: Any) -> Any:
            here()
            result = call(*words, **named)
            here()
            return result

        return step

    for name in STEPS:
        setattr(os, name, counted(getattr(os, name)))
    work.run(folder)


def _ends_early(run: Callable[[], object]) -> bool:
    """Whether a forked child that runs this is killed before its end."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            run()
            code = 0
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code not in (0, KILLED):
        raise RuntimeError(f"the work must end or be killed, found exit code {code}")
    return code == KILLED


def killed_at_drawn_moments(names: Sequence[str], root: Path, seed: int) -> dict[str, Any]:
    """Kill a process of its own at a drawn moment of its work, once a name.

    A kill that comes after the end of the work is drawn again, earlier.

    Returns:
        What is written to kills.json.
    """
    draw = random.Random(seed)
    context = multiprocessing.get_context("fork")
    expected: dict[str, tuple[str, float]] = {}
    faults: list[str] = []
    done = dict.fromkeys(names, 0)
    start = time.monotonic()
    for number, name in enumerate(names):
        work, place = KEPT_WORK[name], root / name.replace(" ", "-")
        if name not in expected:
            begun = time.monotonic()
            text = _unbroken(work, place)
            expected[name] = text, time.monotonic() - begun
        text, latest_s = expected[name]
        while True:
            folder = place / f"killed{number}"
            folder.mkdir()
            process = context.Process(target=work.run, args=(folder,))
            process.start()
            process.join(draw.uniform(0.0, latest_s))
            if process.is_alive() and process.pid is not None:
                os.kill(process.pid, signal.SIGKILL)
            process.join()
            if process.exitcode == -signal.SIGKILL:
                break
            latest_s *= 0.8
            shutil.rmtree(folder)
        faults += [f"{name}, kill {number}: {each}" for each in faults_after(work, folder, text)]
        done[name] += 1
        shutil.rmtree(folder)
    return {
        "app": __version__,
        "kills": len(names),
        "by_work": done,
        "faults": faults,
        "seed": seed,
        "seconds": round(time.monotonic() - start, 1),
    }


def _unbroken(work: KeptWork, root: Path) -> str:
    """What the work leaves when nobody kills it."""
    folder = root / "unbroken"
    folder.mkdir(parents=True)
    work.run(folder)
    return work.read(folder)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=60, help="kills")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--every-step", action="store_true", help="at every step, printed")
    parser.add_argument("--work", nargs="+", choices=KEPT_WORK, default=list(KEPT_WORK))
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the record")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
