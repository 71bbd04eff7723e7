"""The app answers a case in a network that holds nothing but the loopback device."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.tiny_bundle import FIRST_FRESH_SEED, simulated_png
from tests.ui.conftest import REPOSITORY

ALONE = ("unshare", "--map-root-user", "--net")
UP = "ip link set lo up && exec "


def can_be_alone() -> bool:
    if not all(map(shutil.which, ("unshare", "ip", "sh"))):
        return False
    tried = subprocess.run([*ALONE, "sh", "-c", UP + "true"], capture_output=True, check=False)
    return tried.returncode == 0


@pytest.mark.skipif(not can_be_alone(), reason="needs network namespaces: unshare, ip, the right")
def test_a_case_is_answered_without_any_network(tiny_bundle, tiny_index, tmp_path):
    (tmp_path / "image.png").write_bytes(simulated_png(FIRST_FRESH_SEED))
    app = [str(REPOSITORY / "app.py"), "--bundle", str(tiny_bundle), "--index", str(tiny_index)]
    words = [sys.executable, "-m", "tests.cli.ask_own_app", str(tmp_path / "image.png"), *app]
    done = subprocess.run(
        [*ALONE, "sh", "-c", UP + '"$@"', "sh", *words],
        cwd=tmp_path,
        env=os.environ
        | {
            "GRADIO_SERVER_PORT": "7860",
            "JOMED_LOG_DIR": str(tmp_path),
            "PYTHONPATH": str(REPOSITORY),
            "OMP_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    names, name, final, _ = json.loads(done.stdout.splitlines()[-1])
    assert names == ["lo"]
    assert name == "complete"
    assert "prediction" in final
