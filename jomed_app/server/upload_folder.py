"""The folder that uploads lie in for a moment: private, removed at the end, and after a crash.

A living server holds a lock on a file in its folder. The system gives the lock back when the
process ends, however it ends, and does not hand it to child processes: a folder whose lock can be
had belongs to nobody.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "jomed-uploads-"
LOCK = ".lock"
# A folder without a lock is being made right now, or was made by a version without locks.
LOCKLESS_S = 24 * 3600


@contextmanager
def upload_folder(parent: Path | None = None) -> Iterator[Path]:
    """Yield a new private folder; first remove what dead servers of this user left, last itself.

    Args:
        parent: where to make it; the system's temporary folder when None.
    """
    parent = parent or Path(tempfile.gettempdir())
    remove_stale(parent)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))  # readable by its owner alone
    try:
        with (folder / LOCK).open("w") as lock:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_stale(parent: Path) -> int:
    """Remove the upload folders of dead servers of this user; return how many.

    Args:
        parent: where they lie; folders of others, links and folders of the living stay.
    """
    removed = 0
    for folder in parent.glob(f"{PREFIX}*"):
        if _is_own_folder(folder) and _is_abandoned(folder):
            shutil.rmtree(folder, ignore_errors=True)
            removed += not folder.exists()
    return removed


def _is_own_folder(path: Path) -> bool:
    """Whether a path is a folder of this user, and no link to one."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()


def _is_abandoned(folder: Path) -> bool:
    """Whether no living process holds a folder's lock."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        return time.time() - folder.lstat().st_mtime > LOCKLESS_S
    except OSError:
        return False
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True
