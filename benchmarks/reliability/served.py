"""The app in a process of its own, as a user starts it, and how much memory it takes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from benchmarks import ROOT

PATIENCE_S = 300.0  # a slow machine loads for this long at most
APP = (str(ROOT / "app.py"),)


@dataclass(frozen=True, slots=True)
class Served:
    """A running app.

    Attributes:
        url: where it listens.
        process: the server's own process; decoders are its children.
        log: what it wrote to its terminal.
    """

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def resident_mb(self) -> float:
        """Memory that the server and its children hold alone, MB (proportional set size)."""
        held = 0.0
        for process in (parent := psutil.Process(self.process.pid)), *parent.children(True):
            try:
                held += process.memory_full_info().pss
            except psutil.NoSuchProcess:  # a decoder was replaced meanwhile
                continue
        return held / 1e6


@contextmanager
def served(
    folder: Path, settings: str, *, threads: int | None = None, program: Sequence[str] = APP
) -> Iterator[Served]:
    """Start the app, wait until it answers, end it by SIGTERM.

    Args:
        folder: for configuration, logs and temporary files; must exist.
        settings: lines of the `[app]` table.
        threads: of matrix products; as the machine has it when None.
        program: what the interpreter runs, with the flags of the app.

    Raises:
        RuntimeError: if the app does not answer in time or does not end with 0.
    """
    port = _free_port()
    config = folder / "app.toml"
    config.write_text(f'[app]\nhost = "127.0.0.1"\nport = {port}\n{settings}\n')
    (folder / "tmp").mkdir(exist_ok=True)
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "JOMED_LOG_DIR": str(folder / "logs"),
        "TMPDIR": str(folder / "tmp"),
        **({} if threads is None else {"OMP_NUM_THREADS": str(threads)}),
    }
    log = folder / "terminal.txt"
    with log.open("wb") as written:
        process = subprocess.Popen(
            [sys.executable, *program, "--config", str(config)],
            cwd=folder,
            env=environment,
            stdout=written,
            stderr=subprocess.STDOUT,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(url, process)
        yield Served(url, process, log)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
    if code not in (0, -signal.SIGTERM):
        raise RuntimeError(f"the app must end with 0 on SIGTERM, it ended with {code}")


def _free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until the models are loaded; the page is there before."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"the app must serve, it ended with {process.returncode}")
        try:
            if httpx.get(f"{url}/readyz", timeout=5).status_code == 200:
                return
        except httpx.HTTPError:  # nobody listens yet
            pass
        time.sleep(0.2)
    raise RuntimeError(f"the app must answer within {PATIENCE_S:.0f} s, it did not")
