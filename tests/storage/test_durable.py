"""A kept file or folder is whole or as it was before; what cannot be written is one sentence."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors import SafetensorError

from jomed_app.errors import StorageError
from jomed_app.storage import durable
from jomed_app.storage.durable import (
    added_files,
    clear_interrupted,
    require_writable,
    storage_fault,
    whole_folder,
    write_file,
)

REPOSITORY = Path(__file__).resolve().parents[2]


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


@pytest.fixture
def calls(monkeypatch):
    """What `durable` asks of the system, in order: (call, name of the file)."""
    seen = []
    flush, rename = os.fsync, os.replace

    def fsync(handle):
        seen.append(("flush", Path(os.readlink(f"/proc/self/fd/{handle}")).name))
        flush(handle)

    def replace(source, target):
        seen.append(("rename", Path(target).name))
        rename(source, target)

    monkeypatch.setattr(durable.os, "fsync", fsync)
    monkeypatch.setattr(durable.os, "replace", replace)
    return seen


def test_a_file_is_flushed_then_renamed_then_its_folder_flushed(tmp_path, calls):
    write_file(tmp_path / "new" / "a.json", "grün\n")
    assert (tmp_path / "new" / "a.json").read_bytes() == "grün\n".encode()
    (first, part), *rest = calls
    assert (first, part[:8], part[-5:]) == ("flush", ".a.json.", ".part")
    assert rest == [("rename", "a.json"), ("flush", "new")]


def test_a_folder_is_flushed_whole_before_it_is_renamed(tmp_path, calls):
    with whole_folder(tmp_path / "out") as folder:
        (folder / "sub").mkdir()
        (folder / "sub" / "a").write_bytes(b"1")
    at = calls.index(("rename", "out"))
    assert {name for call, name in calls[:at]} >= {"a", "sub"}
    assert calls[at + 1 :] == [("flush", tmp_path.name)]
    assert names(tmp_path) == {"out", "out/sub", "out/sub/a"}


def test_an_older_folder_is_replaced(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").write_bytes(b"0")
    with whole_folder(tmp_path / "out") as folder:
        (folder / "new").write_bytes(b"1")
    assert names(tmp_path) == {"out", "out/new"}


def test_added_files_leave_the_others(tmp_path):
    (tmp_path / "out").mkdir()
    for name in ("stays", "changes"):
        (tmp_path / "out" / name).write_text("old")
    with added_files(tmp_path / "out") as folder:
        (folder / "changes").write_text("new")
        (folder / "sub").mkdir()
        (folder / "sub" / "comes").write_text("new")
    assert names(tmp_path / "out") == {"stays", "changes", "sub", "sub/comes"}
    assert (tmp_path / "out" / "stays").read_text() == "old"
    assert (tmp_path / "out" / "changes").read_text() == "new"


@pytest.mark.parametrize("make", [whole_folder, added_files])
def test_a_fault_while_writing_leaves_all_as_it_was(tmp_path, make):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").write_text("0")
    with pytest.raises(ZeroDivisionError), make(tmp_path / "out") as folder:  # noqa: PT012
        (folder / "old").write_text("1")
        raise ZeroDivisionError
    assert names(tmp_path) == {"out", "out/old"}
    assert (tmp_path / "out" / "old").read_text() == "0"


def test_leftovers_of_killed_processes_are_cleared(tmp_path):
    for name in (".out.0a1b2c3d.partial", ".out.partial", ".out.0a1b2c3d.old", "out"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_text(name)
    (tmp_path / ".out.0a1b2c3d.part").write_text("")
    kept = ("other", ".out.zip", ".out2.0a1b2c3d.part", ".out.notes.old")
    for name in kept:
        (tmp_path / name).write_text("not ours")
    clear_interrupted(tmp_path / "out")
    assert names(tmp_path) == {"out", "out/a", *kept}
    assert (tmp_path / "out" / "a").read_text() == "out"


def test_an_older_folder_that_stood_aside_is_put_back(tmp_path):
    aside = tmp_path / ".out.0a1b2c3d.old"
    aside.mkdir()
    (aside / "a").write_text("old")
    clear_interrupted(tmp_path / "out")
    assert names(tmp_path) == {"out", "out/a"}


def test_what_a_living_process_writes_is_not_cleared(tmp_path):
    with whole_folder(tmp_path / "out") as first:
        (first / "a").write_text("1")
        with whole_folder(tmp_path / "out") as second:
            (second / "b").write_text("2")
        assert (first / "a").is_file()
    assert names(tmp_path) == {"out", "out/a"}, "the one that ended last stands there"


def test_two_processes_do_not_switch_one_folder_at_once(tmp_path):
    (tmp_path / "out").mkdir()
    handle = os.open(tmp_path / "out", os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        with (
            pytest.raises(StorageError, match="by one process at a time"),
            whole_folder(tmp_path / "out"),
        ):
            pass
    finally:
        os.close(handle)
    assert names(tmp_path) == {"out"}


def test_a_device_or_folder_is_not_replaced_by_a_file(tmp_path):
    """As root, `--out /dev/null` would otherwise replace the device."""
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", tmp_path):
        with pytest.raises(StorageError, match="must be a file or not be there yet"):
            write_file(place, "x")
    assert names(tmp_path) == {"pipe"}


def test_a_file_in_the_place_of_a_folder_is_one_sentence(tmp_path):
    (tmp_path / "a").write_text("")
    with pytest.raises(StorageError, match=r"'b' must lie where there is room .*: not a directory"):
        write_file(tmp_path / "a" / "b" / "b", "x")
    with pytest.raises(StorageError, match="must lie in a folder that can be written to"):
        require_writable(tmp_path / "a" / "b")
    require_writable(tmp_path / "new" / "newer")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_one_sentence(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match="permission denied"):
        write_file(tmp_path / "a", "x")
    with pytest.raises(StorageError, match="change its permissions"):
        require_writable(tmp_path / "a")


LIMITED = """
import resource, sys
from pathlib import Path
from jomed_app.errors import StorageError
from jomed_app.storage.durable import added_files, whole_folder, write_file
out = Path(sys.argv[1])
write_file(out / "a", b"old")
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
def with_folder(make):
    with make(out / "f") as folder:
        (folder / "a").write_bytes(bytes(8192))
for write in (
    lambda: write_file(out / "a", bytes(8192)),
    lambda: with_folder(whole_folder),
    lambda: with_folder(added_files),
):
    try:
        write()
    except StorageError as error:
        print(error)
print((out / "a").read_bytes(), sorted(path.name for path in out.iterdir()))
"""


def test_a_limit_of_the_system_is_one_sentence_and_leaves_nothing(tmp_path):
    assert resource.RLIMIT_FSIZE is not None
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    )  # fmt: skip
    *said, left = done.stdout.splitlines()
    assert [line.split(" must lie")[0] for line in said] == ["'a'", "'f'", "'f'"]
    assert all(line.count("found: file too large; make room") == 1 for line in said)
    assert left == "b'old' ['a']"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "x"), "no space left on device"),
        (OSError(errno.EROFS, "x"), "read-only file system"),
        (PermissionError(errno.EACCES, "x"), "permission denied"),
        (SafetensorError("I/O error: No space left on device (os error 28)"), "no space left"),
        (OSError(errno.ENOENT, "x"), None),
        (OSError("x"), None),
        (ValueError("x"), None),
    ],
)
def test_only_what_the_file_system_refuses_is_a_storage_fault(error, said):
    found = storage_fault(error)
    assert (found is None) == (said is None)
    assert said is None or said in found
