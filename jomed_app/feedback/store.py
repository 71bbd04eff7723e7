"""Where judgements are kept: one SQLite file, written in whole rows or not at all.

Source: sqlite.org/wal.html and /pragma.html. With a write-ahead log and `synchronous = FULL` a row
that was confirmed outlives a killed process and a power cut.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from jomed_app.errors import ConfigError, RecordError, StorageError, first_fault
from jomed_app.feedback.judgement import Judgement

VERSION = 1  # of the tables, in the file's `user_version`
WAIT_MS = 5_000  # ours: how long one process waits while another writes
TABLES = (
    "CREATE TABLE judgement (reading TEXT PRIMARY KEY, at TEXT NOT NULL, document TEXT NOT NULL)"
)
SAVE = (
    "INSERT INTO judgement VALUES (?, ?, ?) ON CONFLICT (reading) "
    "DO UPDATE SET at = excluded.at, document = excluded.document"
)


class FeedbackStore:
    """Judgements of one server; thread-safe, one writer at a time.

    Args:
        path: the file; made where there is none, readable by its owner alone.
        key: of the hashes that stand for cases.

    Attributes:
        on_new: told of each reading that is judged for the first time.

    Raises:
        ConfigError: if the file is something else, or of a newer version.
        StorageError: if it cannot be made or written.
    """

    def __init__(self, path: Path, key: bytes) -> None:
        self.key = key
        self.on_new: Callable[[Judgement], None] = lambda judgement: None
        self._name = path.name
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
        except OSError as error:
            raise _not_written(self._name, type(error).__name__) from error
        self._rows = _opened(path)

    def save(self, judgement: Judgement) -> None:
        """Keep a judgement; the one before it of the same reading is replaced.

        Raises:
            StorageError: if there is no room or no permission; what was kept before stays.
        """
        row = (judgement.reading, judgement.at, judgement.model_dump_json(by_alias=True))
        with self._lock:
            try:
                with self._rows:
                    known = self._rows.execute(
                        "SELECT 1 FROM judgement WHERE reading = ?", row[:1]
                    ).fetchone()
                    self._rows.execute(SAVE, row)
            except sqlite3.Error as error:
                raise _not_written(self._name, str(error)) from error
        if known is None:
            self.on_new(judgement)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._rows.close()


def read_judgements(path: Path) -> list[Judgement]:
    """Return all judgements of a file, by time; a server may go on writing it.

    Raises:
        ConfigError: if there is no such file, or it is something else.
        RecordError: if a row does not follow the schema.
    """
    if not path.is_file():
        raise ConfigError(
            f"'{path.name}' must be the file that [app.feedback] names, found none; check the path"
        )
    rows = _opened(path)
    try:
        found = rows.execute("SELECT document FROM judgement ORDER BY at, reading").fetchall()
        return [Judgement.model_validate_json(document) for (document,) in found]
    except ValidationError as error:
        raise RecordError(
            f"judgements must follow schema jomed.feedback/1, found {first_fault(error, 'a row')}"
        ) from None
    finally:
        rows.close()


def _opened(path: Path) -> sqlite3.Connection:
    """Return a connection to the file, its tables made where it is new."""
    rows = sqlite3.connect(path, timeout=WAIT_MS / 1000, check_same_thread=False)
    try:
        rows.execute("PRAGMA journal_mode = WAL")
        rows.execute("PRAGMA synchronous = FULL")
        with rows:
            rows.execute("BEGIN IMMEDIATE")
            (version,) = rows.execute("PRAGMA user_version").fetchone()
            (tables,) = rows.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if version == 0 and tables == 0:
                rows.execute(TABLES)
                rows.execute(f"PRAGMA user_version = {VERSION}")
                version = VERSION
    except sqlite3.OperationalError as error:
        rows.close()
        raise _not_written(path.name, str(error)) from error
    except sqlite3.DatabaseError as error:
        rows.close()
        raise ConfigError(
            f"'{path.name}' must be a file of judgements or not be there yet, found something "
            "else; name another"
        ) from error
    if version != VERSION:
        rows.close()
        raise ConfigError(
            f"'{path.name}' must be a file of judgements of version {VERSION}, found version "
            f"{version}; name another, or use the app that wrote it"
        )
    return rows


def _not_written(name: str, found: str) -> StorageError:
    return StorageError(
        f"judgements require room and permission to write '{name}', found: {found}; nothing of "
        "this judgement was kept, what was there before stays; tell the operator"
    )
