"""One file over HTTPS: resumed where it stopped, whole or not there, its hashes compared.

The one place in `data` that speaks HTTP. What came before an interruption stays beside the target
with the server's mark of the file's version, and is taken up only while that mark is the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx

from jomed_app.data.fetch.catalogue import check_address
from jomed_app.errors import FetchError

TRIES = 6  # ours: of one file, without a byte in between
WAIT_S = 1.0  # ours: before the second try, then twice as long each time
LONGEST_WAIT_S = 60.0
MAY_PASS = frozenset({408, 425, 429, 500, 502, 503, 504})
PARTIAL, NOT_SATISFIABLE = 206, 416
SPARE_BYTES = 64 << 20  # ours: room on the disk that a download leaves
MOST_JSON = 64 << 20
PART = ".part"
MARK = ".part.json"

OnBytes = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file to fetch, and what its publisher says of it.

    Attributes:
        name: what it is called here.
        url: its address.
        size: bytes; None where nobody says.
        sha256: hexadecimal; None where nobody says.
        md5: the same, by homes that know no better hash.
    """

    name: str
    url: str
    size: int | None = None
    sha256: str | None = None
    md5: str | None = None


class Downloader:
    """Fetches files; use as a context manager.

    Args:
        tries: of a file without a new byte in between.
        wait: called with seconds before another try.
        transport: in place of the network.
    """

    def __init__(
        self,
        tries: int = TRIES,
        wait: Callable[[float], None] = time.sleep,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._tries = tries
        self._wait = wait
        self._http = httpx.Client(
            follow_redirects=True,
            timeout=httpx.Timeout(60.0, connect=20.0),
            headers={"Accept-Encoding": "identity"},
            event_hooks={"request": [_refuse_plain_http]},
            transport=transport,
        )

    def __enter__(self) -> Downloader:
        return self

    def __exit__(self, *fault: object) -> None:
        self._http.close()

    def fetch(self, wanted: Wanted, folder: Path, on_bytes: OnBytes = lambda *_: None) -> str:
        """Fetch a file into a folder; one that is there and right is not asked for again.

        Args:
            wanted: the file.
            folder: made where missing.
            on_bytes: called with (bytes here, bytes in all or 0 where unknown).

        Returns:
            Its SHA-256.

        Raises:
            FetchError: if the server refuses or falls silent, the disk has no room, or size or
                hash is not what the publisher states; a wrong file is removed.
        """
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / wanted.name
        if not target.is_file():
            self._complete(wanted, folder, on_bytes)
            os.replace(folder / (wanted.name + PART), target)
            (folder / (wanted.name + MARK)).unlink(missing_ok=True)
        return check_file(target, wanted)

    def get_json(self, url: str) -> Any:
        """Ask an address for JSON.

        Raises:
            FetchError: if the server refuses, falls silent or answers with something else.
        """
        quiet = 0
        while True:
            try:
                with self._http.stream("GET", url) as answer:
                    _check_status(answer)
                    data = b""
                    for chunk in answer.iter_bytes():
                        data += chunk
                        if len(data) > MOST_JSON:
                            raise FetchError(
                                "a home must list its files in few words, found more than "
                                f"{MOST_JSON >> 20} MB; fetch them by hand and give --from"
                            )
                return json.loads(data)
            except ValueError as error:
                raise FetchError(
                    "a home must list its files as JSON, found something else; fetch them by hand "
                    "and give --from"
                ) from error
            except (_PassingError, httpx.TransportError) as error:
                quiet += 1
                self._wait_or_end(quiet, error)

    def _complete(self, wanted: Wanted, folder: Path, on_bytes: OnBytes) -> None:
        """Bring the part to its full length, over as many tries as bring something."""
        part = folder / (wanted.name + PART)
        quiet = 0
        while True:
            before = _size(part)
            try:
                if self._more(wanted, part, folder / (wanted.name + MARK), on_bytes):
                    return
            except (_PassingError, httpx.TransportError) as error:
                quiet = 1 if _size(part) > before else quiet + 1
                self._wait_or_end(quiet, error)

    def _more(self, wanted: Wanted, part: Path, mark: Path, on_bytes: OnBytes) -> bool:
        """Ask for what is missing; whether the part is whole now."""
        have, version = _size(part), _read_mark(mark)
        headers = {}
        if have and version:  # without a mark nobody can tell whether it is the same file
            headers = {"Range": f"bytes={have}-", "If-Range": version}
        with self._http.stream("GET", wanted.url, headers=headers) as answer:
            if answer.status_code == NOT_SATISFIABLE and headers:
                if _total_of(answer) == have:
                    return True
                part.unlink(missing_ok=True)
                return False
            _check_status(answer)
            if answer.status_code == PARTIAL and _first_of(answer) != have:
                part.unlink(missing_ok=True)
                raise _PassingError("another part of the file than was asked for")
            goes_on = answer.status_code == PARTIAL
            length = answer.headers.get("Content-Length", "")
            total = (have if goes_on else 0) + int(length) if length.isdecimal() else 0
            _check_room(wanted, part.parent, total or wanted.size or 0, have if goes_on else 0)
            _write_mark(mark, answer)
            done = have if goes_on else 0
            with part.open("ab" if goes_on else "wb") as stream:
                for chunk in answer.iter_raw():  # as it comes: a drop loses nothing
                    done += len(chunk)
                    if wanted.size is not None and done > wanted.size:
                        stream.truncate(0)
                        raise FetchError(
                            f"'{wanted.name}' must have {wanted.size} bytes, found more; its home "
                            "holds another file now"
                        )
                    stream.write(chunk)
                    on_bytes(done, total or wanted.size or 0)
                stream.flush()
                os.fsync(stream.fileno())
        if total and done < total:
            raise _PassingError("an end before the file was whole")
        return True

    def _wait_or_end(self, quiet: int, error: Exception) -> None:
        if quiet >= self._tries:
            raise FetchError(
                f"a home must send its files, found {_found(error)} in {quiet} tries; try again "
                "later, what has come is kept"
            ) from error
        asked = error.seconds if isinstance(error, _PassingError) else 0.0
        self._wait(min(max(asked, WAIT_S * 2 ** (quiet - 1)), LONGEST_WAIT_S))


class _PassingError(Exception):
    """A fault that another try may mend."""

    def __init__(self, found: str, seconds: float = 0.0) -> None:
        super().__init__(found)
        self.found = found
        self.seconds = seconds


def check_file(path: Path, wanted: Wanted) -> str:
    """Compare a file with what its publisher states and return its SHA-256; a wrong one is removed.

    Raises:
        FetchError: if size or hash is another.
    """
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    size = 0
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            sha256.update(chunk)
            md5.update(chunk)
            size += len(chunk)
    for what, stated, found in (
        ("size", wanted.size, size),
        ("SHA-256", wanted.sha256, sha256.hexdigest()),
        ("MD5", wanted.md5, md5.hexdigest()),
    ):
        if stated is not None and stated != found:
            path.unlink()
            raise FetchError(
                f"'{wanted.name}' must have the {what} {stated}, found {found}; it was removed, "
                "fetch it again or ask its publisher"
            )
    return sha256.hexdigest()


def _refuse_plain_http(request: httpx.Request) -> None:
    """Of redirects too."""
    try:
        check_address(str(request.url))
    except ValueError as error:
        raise FetchError(
            "a file must come over https, found a home that leads elsewhere; fetch it by hand and "
            "give --from"
        ) from error


def _check_status(answer: httpx.Response) -> None:
    status = answer.status_code
    if status in MAY_PASS:
        raise _PassingError(f"status {status}", _seconds_of(answer.headers.get("Retry-After", "")))
    if not answer.is_success:
        raise FetchError(
            f"a home must hand out its files, found status {status}; its address may have changed: "
            "fetch them by hand from its page and give --from"
        )


def _seconds_of(text: str) -> float:
    """What Retry-After asks for: seconds, or a moment."""
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError):
        return 0.0


def _first_of(answer: httpx.Response) -> int:
    """The first byte of a partial answer; -1 where it does not say."""
    unit, _, rest = answer.headers.get("Content-Range", "").partition(" ")
    first = rest.partition("-")[0]
    return int(first) if unit == "bytes" and first.isdecimal() else -1


def _total_of(answer: httpx.Response) -> int:
    """The whole length that a refused range names; -1 where it does not."""
    total = answer.headers.get("Content-Range", "").rpartition("/")[2]
    return int(total) if total.isdecimal() else -1


def _check_room(wanted: Wanted, folder: Path, total: int, have: int) -> None:
    free = shutil.disk_usage(folder).free
    if total - have + SPARE_BYTES > free:
        raise FetchError(
            f"'{wanted.name}' requires {(total - have) / 1e6:.0f} MB, found {free / 1e6:.0f} MB "
            "free on the disk; make room or give --into"
        )


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _write_mark(mark: Path, answer: httpx.Response) -> None:
    """Keep the version of the file; a weak mark does not say that bytes are the same."""
    tag = answer.headers.get("ETag", "")
    version = tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified", "")
    mark.write_text(json.dumps(version), encoding="utf-8")


def _read_mark(mark: Path) -> str:
    try:
        version = json.loads(mark.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return version if isinstance(version, str) else ""


def _found(error: Exception) -> str:
    return error.found if isinstance(error, _PassingError) else "no answer, or a broken one,"
