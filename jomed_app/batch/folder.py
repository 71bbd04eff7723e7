"""The folder of a batch: a file for each case, tables over all of them, exports beside.

```
run.json                what all cases have in common
cases/KEY.json          a saved result, KEY the SHA-256 of the image file
cases/KEY.error.json    why there is none
exports/KEY.SUFFIX      what was asked for with --export
results.csv .parquet    one row a case, in order of KEY
```

Each file is there whole or not at all, so a run that was ended anywhere goes on where it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ConfigDict, Field, ValidationError

from jomed_app.batch.settings import BatchRun
from jomed_app.errors import RecordError
from jomed_app.export.kinds import KINDS
from jomed_app.export.saved import SavedResult, read_saved
from jomed_app.export.table import CASE_COLUMNS, Row, case_row, columns_of, csv_bytes
from jomed_app.storage.durable import write_file
from jomed_app.types import Frozen

ERROR = ".error.json"
FIRST = ("sha256", "name", "copies", "error")


class Failure(Frozen):
    """Why a file has no result, schema `jomed.failure/1`."""

    schema_: Literal["jomed.failure/1"] = Field(default="jomed.failure/1", alias="schema")
    error: str
    is_final: bool = Field(description="False: a fault that the next run tries again")

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a run saw of the files with one content.

    Attributes:
        name: of the first of them, or None where names are not kept.
        copies: how many they are.
    """

    name: str | None
    copies: int


@dataclass(frozen=True, slots=True)
class BatchFolder:
    """A folder of cases; every method may be called by several processes at once."""

    place: Path

    def begin(self, run: BatchRun) -> None:
        """Start a folder, or go on with one that the same bundle, index and settings wrote.

        Raises:
            RecordError: if another run wrote it.
        """
        path = self.place / "run.json"
        if not path.exists():
            write_file(path, run.model_dump_json(by_alias=True, indent=2) + "\n")
            return
        advice = "choose another folder"
        try:
            differing = run.differing(BatchRun.model_validate_json(path.read_bytes()))
        except (ValidationError, OSError):
            raise RecordError(
                "--out must be new, or hold what an earlier run wrote, found a run.json that "
                f"cannot be read; {advice}"
            ) from None
        if differing:
            raise RecordError(
                f"--out must be new, or a folder of the same run, found another "
                f"{', '.join(differing)}; {advice}"
            )

    def case_path(self, key: str) -> Path:
        """Where a saved result lies."""
        return self.place / "cases" / f"{key}.json"

    def export_path(self, key: str, kind: str) -> Path:
        """Where an export lies; of kind json, the saved result itself."""
        if kind == "json":
            return self.case_path(key)
        return self.place / "exports" / f"{key}{KINDS[kind].suffix}"

    def saved(self, key: str) -> SavedResult | None:
        """Return a case that is finished, or None; a file that is none does not count."""
        path = self.case_path(key)
        try:
            return read_saved(path) if path.is_file() else None
        except RecordError:
            return None

    def failure(self, key: str) -> Failure | None:
        """Return why a case has no result, or None."""
        path = self.place / "cases" / f"{key}{ERROR}"
        try:
            return Failure.model_validate_json(path.read_bytes()) if path.is_file() else None
        except (ValidationError, OSError):
            return None

    def keep(self, key: str, saved: SavedResult) -> None:
        """Keep a case; an earlier failure of it goes."""
        write_file(self.case_path(key), saved.document)
        (self.place / "cases" / f"{key}{ERROR}").unlink(missing_ok=True)

    def keep_failure(self, key: str, failure: Failure) -> None:
        """Keep why a case has no result."""
        content = failure.model_dump_json(by_alias=True, indent=2) + "\n"
        write_file(self.place / "cases" / f"{key}{ERROR}", content)

    def write_tables(
        self, seen: Mapping[str, Seen], unread: Sequence[tuple[str | None, str]]
    ) -> tuple[int, int]:
        """Write both tables over all cases of the folder.

        Args:
            seen: by key, of this run; cases of earlier runs have no name.
            unread: name, or None, and sentence of files that could not even be hashed.

        Returns:
            How many rows have no result, and how many there are.
        """
        rows = [self._row(key, seen.get(key)) for key in self._keys()]
        rows += [{"name": name, "error": sentence} for name, sentence in unread]
        has_names = any(row["name"] is not None for row in rows)
        first = tuple(name for name in FIRST if has_names or name != "name")
        columns = columns_of(rows, first)
        write_file(self.place / "results.csv", csv_bytes(rows, columns))
        stream = BytesIO()
        pq.write_table(_arrow_table(rows, columns), stream)
        write_file(self.place / "results.parquet", stream.getvalue())
        return sum(row.get("error") is not None for row in rows), len(rows)

    def _keys(self) -> list[str]:
        names = [path.name for path in (self.place / "cases").glob("*.json")]
        return sorted({name.split(".")[0] for name in names if not name.startswith(".")})

    def _row(self, key: str, seen: Seen | None) -> Row:
        saved, failure = self.saved(key), self.failure(key)
        row: Row = {} if saved is None else case_row(saved)
        row["sha256"] = key
        row["name"] = seen.name if seen else None
        row["copies"] = seen.copies if seen else None
        if saved is None:
            row["error"] = failure.error if failure else "the file of this case cannot be read"
        return row


def _arrow_table(rows: list[Row], columns: tuple[str, ...]) -> pa.Table:
    """Rows with a type for each column: text, whole number, number, or yes and no."""
    known = {**CASE_COLUMNS, "copies": int}
    types = {name: float if name.startswith("p_") else known.get(name, str) for name in columns}
    arrow = {str: pa.string(), float: pa.float64(), int: pa.int64(), bool: pa.bool_()}
    schema = pa.schema([(name, arrow[types[name]]) for name in columns])
    return pa.Table.from_pylist([{name: row.get(name) for name in columns} for row in rows], schema)
