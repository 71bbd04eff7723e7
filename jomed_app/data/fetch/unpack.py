"""Archives as published, unpacked where they cannot do harm, and files found in what they hold."""

from __future__ import annotations

import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from jomed_app.errors import FetchError

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")
MOST_BYTES = 64 << 30  # ours: of one set, unpacked
MOST_FILES = 500_000
_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError,
           NotImplementedError, RuntimeError)  # fmt: skip


def is_archive(path: Path) -> bool:
    """Whether a file's name says that it is an archive."""
    return path.name.lower().endswith(ARCHIVES)


def unpack(archive: Path, into: Path) -> None:
    """Unpack a zip or tar archive.

    Args:
        archive: the file.
        into: new or empty folder.

    Raises:
        FetchError: if it is damaged, an entry leads out of the folder or is a link or device, or
            it holds more than a set may.
    """
    into.mkdir(parents=True, exist_ok=True)
    try:
        if archive.name.lower().endswith(".zip"):
            _unzip(archive, into)
        else:
            _untar(archive, into)
    except FetchError:
        raise
    except _DAMAGE as error:
        raise FetchError(
            f"'{archive.name}' must be a whole archive without a password, found one that cannot "
            "be unpacked; fetch it again"
        ) from error


def _unzip(archive: Path, into: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        entries = [each for each in opened.infolist() if not each.is_dir()]
        _check_amount(archive, len(entries), sum(each.file_size for each in entries), into)
        for entry in entries:
            mode = entry.external_attr >> 16
            if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG):
                raise _refused(archive, "a link or device")
            target = into / _inside(archive, entry.filename)
            target.parent.mkdir(parents=True, exist_ok=True)
            with opened.open(entry) as source, target.open("wb") as stream:
                shutil.copyfileobj(source, stream, 1 << 20)


def _untar(archive: Path, into: Path) -> None:
    with tarfile.open(archive) as opened:
        members = [each for each in opened.getmembers() if not each.isdir()]
        _check_amount(archive, len(members), sum(each.size for each in members), into)
        for member in members:
            if not member.isreg():
                raise _refused(archive, "a link or device")
            target = into / _inside(archive, member.name)
            target.parent.mkdir(parents=True, exist_ok=True)
            source = opened.extractfile(member)
            if source is None:
                raise _refused(archive, "an entry without content")
            with source, target.open("wb") as stream:
                shutil.copyfileobj(source, stream, 1 << 20)


def _inside(archive: Path, name: str) -> PurePosixPath:
    """The place of an entry below the folder."""
    path = PurePosixPath(name.replace("\\", "/"))
    leads_out = path.is_absolute() or ".." in path.parts or ":" in (path.parts or ("",))[0]
    if leads_out or not path.parts or "\0" in name:
        raise _refused(archive, "an entry that leads out of its folder")
    return path


def _refused(archive: Path, what: str) -> FetchError:
    return FetchError(
        f"'{archive.name}' must hold plain files in its own folders, found {what}; this is not "
        "the published archive, fetch it from the set's page"
    )


def _check_amount(archive: Path, files: int, size: int, into: Path) -> None:
    if files > MOST_FILES or size > MOST_BYTES:
        raise FetchError(
            f"'{archive.name}' must hold at most {MOST_FILES} files of {MOST_BYTES >> 30} GB "
            f"together, found {files} of {size >> 20} MB; unpack it yourself and give the folder"
        )
    if size > (free := shutil.disk_usage(into).free):
        raise FetchError(
            f"'{archive.name}' requires {size / 1e6:.0f} MB, found {free / 1e6:.0f} MB free on "
            "the disk; make room or give --into"
        )


class Published:
    """The files of a set as published: in a folder, in archives that were unpacked, or both.

    Args:
        roots: folders that hold them, at any depth.
    """

    def __init__(self, roots: Sequence[Path]) -> None:
        self._files = sorted(
            path for root in roots for path in root.rglob("*") if path.is_file()
            if "__MACOSX" not in path.parts
        )  # fmt: skip

    def all(self, pattern: str) -> list[Path]:
        """Files whose path ends as `pattern` says, such as "benign/*.png", sorted."""
        return [path for path in self._files if path.match(pattern)]

    def by_name(self, pattern: str) -> dict[str, Path]:
        """The same, by file name."""
        return {path.name: path for path in self.all(pattern)}

    def one(self, *patterns: str) -> Path:
        """The first file that fits the earliest pattern.

        Raises:
            FetchError: if none does.
        """
        for pattern in patterns:
            if found := self.all(pattern):
                return found[0]
        raise FetchError(
            f"the set must hold '{patterns[0]}' as published, found none among "
            f"{len(self._files)} files; give --from its archive, or the folder it was unpacked to"
        )


def open_published(given: Path, scratch: Path, *, keep: bool = False) -> Published:
    """Take what lies at a path: an archive, a file, or a folder of both.

    Archives inside of archives are unpacked once more (a set of archives, zipped by its home).

    Args:
        given: file or folder.
        scratch: new folder for what is unpacked.
        keep: whether the archives of a folder are left alone.

    Raises:
        FetchError: if nothing is there, or as `unpack`.
    """
    if not given.exists():
        raise FetchError("--from must name a file or folder, found nothing there; check the path")
    inside = [given] if given.is_file() else sorted(p for p in given.rglob("*") if p.is_file())
    archives = [path for path in inside if is_archive(path)] if not keep else []
    for place, archive in enumerate(archives):
        unpack(archive, scratch / f"a{place}")
    nested = sorted(path for path in scratch.rglob("*") if path.is_file() and is_archive(path))
    for place, archive in enumerate(nested):
        unpack(archive, scratch / f"b{place}")
        archive.unlink()
    roots = [given if given.is_dir() else given.parent] if not archives or given.is_dir() else []
    if given.is_file() and not archives:
        single = scratch / "file"
        single.mkdir(parents=True)
        shutil.copyfile(given, single / given.name)
        roots = [single]
    return Published([*roots, *([scratch] if scratch.is_dir() and archives else [])])
