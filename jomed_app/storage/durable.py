"""Durable writes: what is kept is there whole, or as it was before, whenever the power fails.

One road for every kept file and folder: write beside under a hidden name, flush to the disk, rename
once, flush the folder. What a killed process leaves beside is locked by nobody and is cleared at
the next write to the same place; an older folder that stood aside is put back.
"""

from __future__ import annotations

import errno
import fcntl
import glob
import os
import re
import shutil
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jomed_app.errors import StorageError

PART = ".part"  # a file that is being written
PARTIAL = ".partial"  # a folder that is being written
OLD = ".old"  # an older folder that stands aside while the new one takes its place
_FAULTS = frozenset(
    {
        errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM,
        errno.EIO, errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP,
    }
)  # fmt: skip
_RUST_FAULT = re.compile(r"os error (\d+)")  # how safetensors words what the system refused


def write_file(path: Path, content: bytes | str) -> None:
    """Write a file in one step, its folder made where missing; text is UTF-8.

    Raises:
        StorageError: if there is no room or no permission, or something else is in its place; what
            was there before stays.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    with _worded(path):
        if path.exists() and not stat.S_ISREG(path.stat().st_mode):
            raise StorageError(
                f"'{path.name}' must be a file or not be there yet, found something else in its "
                "place; choose another name"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        clear_interrupted(path)
        part = _beside(path, PART)
        try:
            with part.open("xb") as stream:
                _lock(stream.fileno())
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
                os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
        _flush(path.parent)


@contextmanager
def added_files(folder: Path) -> Iterator[Path]:
    """Yield an empty folder; each file that is written to it then replaces the one in `folder`.

    For what a library writes as several files beside others that stay. A file is whole or as it was
    before; several of them change one after the other.

    Raises:
        StorageError: as `write_file`.
    """
    with _partial(folder) as partial:
        yield partial
        _flush_all(partial)
        folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(path for path in partial.rglob("*") if path.is_file()):
            target = folder / path.relative_to(partial)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(path, target)
            _flush(target.parent)


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """Yield an empty folder that then stands at `out`; an older one is replaced at the very end.

    A folder cannot be replaced in one rename: the older one stands aside between two. A process
    killed there leaves it whole; `clear_interrupted` puts it back.

    Raises:
        StorageError: as `write_file`.
    """
    clear_interrupted(out)
    with _partial(out) as partial:
        yield partial
        _flush_all(partial)
        _put_in_place(partial, out)


def clear_interrupted(path: Path) -> None:
    """Remove what killed processes left beside a place, and put an older folder back.

    What a living process writes is locked and stays.
    """
    named = re.compile(rf"\.{re.escape(path.name)}(\.[0-9a-f]{{8}})?({PART}|{PARTIAL}|{OLD})")
    for leftover in sorted(path.parent.glob(f".{glob.escape(path.name)}.*")):
        if not named.fullmatch(leftover.name) or not _is_abandoned(leftover):
            continue
        if leftover.suffix == OLD and not path.exists():
            os.replace(leftover, path)
        elif leftover.is_dir() and not leftover.is_symlink():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def left_aside(path: Path) -> str | None:
    """Name of an older folder that a killed process left beside a place, None without one."""
    aside = sorted(path.parent.glob(f".{glob.escape(path.name)}.*{OLD}")) if path.name else []
    return aside[0].name if aside else None


def require_writable(path: Path) -> None:
    """Refuse a place that cannot be written to, before long work is done for it.

    Raises:
        StorageError: if the nearest folder that exists takes no file.
    """
    place = next((each for each in (path, *path.absolute().parents) if each.exists()), path)
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        raise StorageError(
            f"'{path.name}' must lie in a folder that can be written to, found none; "
            "choose another place or change its permissions"
        )


def storage_fault(error: BaseException) -> str | None:
    """Say in words what the file system refused; None for an error of another kind."""
    number = error.errno if isinstance(error, OSError) else None
    if number is None and (found := _RUST_FAULT.search(str(error))):
        number = int(found[1])
    return os.strerror(number).lower() if number in _FAULTS else None


@contextmanager
def _worded(path: Path) -> Iterator[None]:
    """Turn what the file system refuses into one sentence that names the place."""
    try:
        yield
    except Exception as error:
        fault = storage_fault(error)
        if fault is None:
            raise
        raise StorageError(
            f"'{path.name}' must lie where there is room and permission to write, found: {fault}; "
            "make room or choose another place"
        ) from error


@contextmanager
def _partial(out: Path) -> Iterator[Path]:
    """Yield a new locked folder beside `out`; it is removed in the end if it is still there."""
    with _worded(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        partial = _beside(out, PARTIAL)
        partial.mkdir()
        handle = os.open(partial, os.O_RDONLY)
        try:
            _lock(handle)
            yield partial
        finally:
            shutil.rmtree(partial, ignore_errors=True)
            os.close(handle)


def _put_in_place(partial: Path, out: Path) -> None:
    """Rename `partial` to `out`; an older `out`, locked, stands aside until that worked."""
    if not out.exists():
        os.replace(partial, out)
        _flush(out.parent)
        return
    aside = _beside(out, OLD)
    handle = os.open(out, os.O_RDONLY)
    try:
        _lock(handle)
        os.replace(out, aside)
        try:
            os.replace(partial, out)
        except BaseException:
            os.replace(aside, out)
            raise
        _flush(out.parent)
        shutil.rmtree(aside, ignore_errors=True)
    finally:
        os.close(handle)


def _beside(path: Path, suffix: str) -> Path:
    """A hidden name of its own, in the same folder: a rename never crosses file systems."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}{suffix}")


def _lock(handle: int) -> None:
    """Say that a process lives that writes this; a file system without locks says nothing."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise StorageError(
            "a folder must be written by one process at a time, found another one at it; "
            "wait until it has ended"
        ) from error
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS):
            raise


def _is_abandoned(path: Path) -> bool:
    """Whether no living process holds the lock of a leftover."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def _flush_all(folder: Path) -> None:
    """Flush every file below a folder, and the folders."""
    for place, _, names in os.walk(folder):
        for name in names:
            _flush(Path(place) / name)
        _flush(Path(place))


def _flush(path: Path) -> None:
    """Flush a file or the entries of a folder; some file systems know none for folders."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(handle)
