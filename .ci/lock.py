"""Write requirements.lock: what the app runs on, with the hash of every wheel that pip would take.

Run: .venv/bin/python .ci/lock.py, after a change of requirements.txt or constraints.txt.

For CPython 3.11 and 3.12 on 64-bit Linux on x86. torch is left out, and what it alone needs: its
CPU build has other bytes than the default one, so its hash depends on where it comes from.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from importlib.metadata import requires
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parents[1]
LOCK = REPOSITORY / "requirements.lock"
PYTHONS = ("3.11", "3.12")
LEFT_OUT = frozenset({"torch"})
HEAD = """\
# Written by .ci/lock.py; do not edit. For CPython 3.11 and 3.12 on 64-bit Linux on x86, less torch.
# Install torch==<version in constraints.txt> first, then:
# pip install --require-hashes --no-deps -r requirements.lock
"""


def needed(lines: Iterable[str]) -> set[str]:
    """Canonical names of all that these requirements need, by what is installed here."""
    waiting = [Requirement(line) for line in lines if line.strip() and line[0] != "#"]
    found: set[str] = set()
    seen: set[str] = set()
    while waiting:
        asked = waiting.pop()
        if canonicalize_name(asked.name) in LEFT_OUT or str(asked) in seen:
            continue
        seen.add(str(asked))
        found.add(canonicalize_name(asked.name))
        for line in requires(asked.name) or ():
            further = Requirement(line)
            extras = asked.extras or {""}
            if further.marker is None or any(
                further.marker.evaluate({"extra": each}) for each in extras
            ):
                waiting.append(further)
    return found


def lock_text(reports: Iterable[Mapping[str, Any]]) -> str:
    """Merge what pip reports for each Python: a line a package, with the hashes of its wheels."""
    hashes: dict[str, set[str]] = {}
    for report in reports:
        for each in report["install"]:
            name = canonicalize_name(each["metadata"]["name"])
            pinned = f"{name}=={each['metadata']['version']}"
            digest = each["download_info"]["archive_info"]["hashes"]["sha256"]
            hashes.setdefault(pinned, set()).add(digest)
    lines = [
        f"{pinned} \\\n    " + " \\\n    ".join(f"--hash=sha256:{each}" for each in sorted(found))
        for pinned, found in sorted(hashes.items())
    ]
    return HEAD + "\n".join(lines) + "\n"


def main() -> int:
    """Ask pip what it would install, for each Python."""
    asked = (REPOSITORY / "requirements.txt").read_text(encoding="utf-8").splitlines()
    constraints = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    names = needed(asked)
    pins = [line for line in constraints if canonicalize_name(re.split("==", line)[0]) in names]
    reports = []
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "pins.txt"
        listed.write_text("\n".join(pins) + "\n", encoding="utf-8")
        for python in PYTHONS:
            report = Path(folder) / f"{python}.json"
            command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed"]
            command += ["--no-deps", "--only-binary=:all:", "--python-version", python, "--quiet"]
            command += ["--target", str(Path(folder) / "t"), "--report", str(report)]
            subprocess.run([*command, "-r", str(listed)], check=True)
            reports.append(json.loads(report.read_text(encoding="utf-8")))
    LOCK.write_text(lock_text(reports), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
