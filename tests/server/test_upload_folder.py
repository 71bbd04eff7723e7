"""Upload folders: private, removed at the end; a dead server's at the next start, no other's."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jomed_app.server.upload_folder import LOCKLESS_S, PREFIX, remove_stale, upload_folder

REPOSITORY = Path(__file__).resolve().parents[2]
HOLD = """
import os, sys, time
from pathlib import Path
from jomed_app.server.upload_folder import upload_folder
with upload_folder(Path(sys.argv[1])) as folder:
    (folder / "upload").write_text("x")
    if os.fork() == 0:
        time.sleep(60)  # a child outlives its killed parent, and must not hold the lock
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other(tmp_path):
    """Another server with a folder and a child; killed at the end."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        folder = Path(process.stdout.readline().strip())
        yield process, folder
        os.killpg(process.pid, signal.SIGKILL)


def test_the_folder_is_private_and_gone_afterwards(tmp_path):
    with upload_folder(tmp_path) as folder:
        assert folder.parent == tmp_path
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "a").mkdir()
        (folder / "a" / "upload").write_text("x")
    assert list(tmp_path.iterdir()) == []


def test_a_living_servers_folder_stays_and_a_killed_ones_goes(tmp_path, other):
    process, folder = other
    with upload_folder(tmp_path) as own:
        assert {own, folder} == set(tmp_path.iterdir())
    assert (folder / "upload").exists()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert remove_stale(tmp_path) == 1
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_folder_of_a_server_stays(tmp_path, monkeypatch):
    target = tmp_path / "elsewhere"
    target.mkdir()
    (target / "kept").write_text("x")
    (tmp_path / f"{PREFIX}link").symlink_to(target)
    (tmp_path / f"{PREFIX}file").write_text("x")
    (tmp_path / f"{PREFIX}new").mkdir()  # another server is making it right now
    linked = tmp_path / f"{PREFIX}linked"
    linked.mkdir()
    (linked / ".lock").symlink_to(target / "kept")
    assert remove_stale(tmp_path) == 0
    assert (target / "kept").exists()


def test_an_old_folder_without_a_lock_goes(tmp_path):
    old = tmp_path / f"{PREFIX}old"
    old.mkdir()
    then = time.time() - LOCKLESS_S - 60
    os.utime(old, (then, then))
    assert remove_stale(tmp_path) == 1


def test_another_users_folder_stays(tmp_path, monkeypatch):
    folder = tmp_path / f"{PREFIX}theirs"
    folder.mkdir()
    (folder / ".lock").touch()
    monkeypatch.setattr(os, "getuid", lambda: folder.stat().st_uid + 1)
    assert remove_stale(tmp_path) == 0
    monkeypatch.undo()
    assert remove_stale(tmp_path) == 1
