"""On what, and of which code, a figure was measured."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

from benchmarks import ROOT


def hardware() -> str:
    """Name of the processor and number of cores that this process may use."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                name = line.split(":", 1)[1].strip()
                break
    return f"{name}, {os.cpu_count()} cores"


def commit() -> str:
    """Short name of the commit that is checked out; "dirty" where files differ from it."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude=*"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "unknown"
