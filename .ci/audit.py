"""Look up known vulnerabilities of what constraints.txt pins; needs the advisory database.

Prints one line a finding. Exit codes: 0 none known, or nothing could be asked (a sentence says so),
1 some are known.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

CONSTRAINTS = Path(__file__).resolve().parents[1] / "constraints.txt"
NOT_ASKED = "the advisory database could not be asked: nothing was audited"


def findings(answer: str) -> list[str] | None:
    """Word what pip-audit found; None where its answer is none.

    Args:
        answer: its output in JSON.
    """
    try:
        packages = json.loads(answer)["dependencies"]
        return [
            f"{package['name']} {package['version']}: {fault['id']}, fixed in "
            f"{', '.join(fault['fix_versions']) or 'no version yet'}"
            for package in packages
            for fault in package.get("vulns", ())
        ]
    except (ValueError, KeyError, TypeError):
        return None


def main() -> int:
    """Ask and tell."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(CONSTRAINTS), "--no-deps"]
    command += ["--disable-pip", "--format", "json", "--progress-spinner", "off", "--timeout", "20"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = findings(done.stdout)
    if found is None:
        sys.stdout.write(NOT_ASKED + "\n")
        return 0
    sys.stdout.write("\n".join(found or ["no vulnerability is known of what is pinned"]) + "\n")
    return int(bool(found))


if __name__ == "__main__":
    raise SystemExit(main())
