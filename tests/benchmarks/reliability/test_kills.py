"""Nothing is lost or half-written, at whatever step the process is killed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.reliability.kept_work import KEPT_WORK

REPOSITORY = Path(__file__).resolve().parents[3]
QUICK = ("checkpoint", "result and report", "read cache", "bundle export")


def ask(*words: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: it forks at every step, which a process with threads must not."""
    return subprocess.run(
        [sys.executable, *words], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )


def killed_at_every_step(*names: str) -> dict[str, dict[str, object]]:
    done = ask("-m", "benchmarks.reliability.kills", "--every-step", "--work", *names)
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)


def test_a_kill_at_any_step_loses_nothing():
    found = killed_at_every_step(*QUICK)
    assert {name: each["faults"] for name, each in found.items()} == {name: [] for name in QUICK}
    # Of a checkpoint: 4 are written, each with a flush, a rename, a removal and a flush, by two.
    assert all(each["steps"] >= 8 for each in found.values()), found
    assert found["checkpoint"]["steps"] >= 4 * 8


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in KEPT_WORK if name not in QUICK])
def test_a_kill_at_any_step_of_longer_work_loses_nothing(name):
    assert killed_at_every_step(name)[name]["faults"] == []


@pytest.mark.slow
def test_sixty_kills_at_drawn_moments_lose_nothing(tmp_path):
    done = ask("-m", "benchmarks.reliability.kills", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    values = json.loads((tmp_path / "kills.json").read_text(encoding="utf-8"))
    assert (values["kind"], values["kills"], values["faults"]) == ("kills", 60, [])


TORN = """
import json, sys
from pathlib import Path
from benchmarks.reliability.kept_work import KeptWork
from benchmarks.reliability.kills import killed_at_every_step

def run(folder):
    step = int((folder / "step").read_text()) + 4 if (folder / "step").is_file() else 4
    for name in ("weights", "step"):  # as checkpoints were written before: two renames
        (folder / f"{name}.draft").write_text(str(step))
        (folder / f"{name}.draft").replace(folder / name)

def read(folder):
    return (folder / "weights").read_text()

print(json.dumps(killed_at_every_step(KeptWork(run, read), Path(sys.argv[1]))))
"""


def test_work_in_two_renames_is_found_out(tmp_path):
    done = ask("-c", TORN, str(tmp_path))
    found = json.loads(done.stdout)
    assert found["steps"] == 4, "before and after each of two renames"
    assert [fault.split(":")[0] for fault in found["faults"]] == ["step 3"], "after the second"
