"""After a purge, and after a tab was closed, no object of the process holds the case."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from tests.ui.conftest import REPOSITORY


def test_no_object_holds_a_purged_or_abandoned_case(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "tests.ui.walk_memory", str(tmp_path)],
        cwd=REPOSITORY,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=400,
        check=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    for ending in ("purge", "tab"):
        assert {"Case", "ImageRecord", "Result", "picture"} <= set(found[f"before {ending}"])
        assert found[f"after {ending}"] == []
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
