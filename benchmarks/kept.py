"""Kept reports: the JSON that every page is made of, and what each was measured with.

They lie in `reports/` beside the pages. `measured_with.json` among them says of each with which
bundle, or with which run, it was measured: figures of another bundle are to be told apart.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from jomed_app.errors import RecordError
from jomed_app.storage.durable import write_file
from jomed_app.types import Frozen

FOLDER = "reports"
MEASURED_FILE = "measured_with.json"


class Measured(Frozen):
    """What a report was measured with.

    Attributes:
        bundle: or run, in words: "bundle 5"; empty where none takes part.
        note: one more sentence, or empty.
    """

    bundle: str = ""
    note: str = ""

    @property
    def sentence(self) -> str:
        """For a page: what was measured."""
        said = f"Measured with {self.bundle}." if self.bundle else "No bundle takes part."
        return f"{said} {self.note}".rstrip()


class KeptReports:
    """The reports that are kept beside pages.

    Args:
        results: folder of the pages.
    """

    def __init__(self, results: Path) -> None:
        self.folder = results / FOLDER

    def keep(self, name: str, values: Any, measured: Measured) -> None:
        """Write a report and what it was measured with.

        Args:
            name: of the file, without `.json`.
            values: plain values; NaN, a figure that is not defined, is kept as null.
            measured: with what.
        """
        text = json.dumps(_defined(values), indent=1, allow_nan=False) + "\n"
        write_file(self.folder / f"{name}.json", text)
        self.record(name, measured)

    def copy(self, source: Path, name: str, measured: Measured) -> None:
        """Keep a copy of a report that a run holds, byte for byte."""
        write_file(self.folder / f"{name}.json", source.read_bytes())
        self.record(name, measured)

    def path(self, name: str) -> Path:
        """File of a report."""
        return self.folder / f"{name}.json"

    def load(self, name: str) -> Any:
        """The values of a report, None where none of that name is kept."""
        path = self.path(name)
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

    def names(self, pattern: str) -> Iterator[str]:
        """Names of the kept reports that a pattern fits, in order."""
        for path in sorted(self.folder.glob(f"{pattern}.json")):
            if path.name != MEASURED_FILE:
                yield path.stem

    def measured(self, name: str) -> Measured:
        """What a report was measured with.

        Raises:
            RecordError: if nobody said so.
        """
        known = self._measured()
        if name not in known:
            raise RecordError(
                f"'{MEASURED_FILE}' must say what every kept report was measured with, found "
                f"nothing of '{name}'; add it"
            )
        return known[name]

    def _measured(self) -> dict[str, Measured]:
        path = self.folder / MEASURED_FILE
        if not path.is_file():
            return {}
        return TypeAdapter(dict[str, Measured]).validate_json(path.read_text(encoding="utf-8"))

    def record(self, name: str, measured: Measured) -> None:
        """Write what a report, or a part of one (`localise.polyp`), was measured with."""
        known = self._measured() | {name: measured}
        plain = {key: known[key].model_dump(exclude_defaults=True) for key in sorted(known)}
        text = json.dumps(plain, indent=1, ensure_ascii=False) + "\n"
        write_file(self.folder / MEASURED_FILE, text)


def _defined(values: Any) -> Any:
    """The same values with None in place of NaN."""
    if isinstance(values, dict):
        return {key: _defined(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [_defined(value) for value in values]
    return None if isinstance(values, float) and math.isnan(values) else values
