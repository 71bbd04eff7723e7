"""The table of labels of an archive; its identifiers are read as pseudonyms."""

from __future__ import annotations

import csv
import secrets
from dataclasses import dataclass
from pathlib import Path

from jomed_app.data.tasks import Task
from jomed_app.errors import ConfigError, RecordError
from jomed_app.imaging.identity import MATCHED_BY, pseudonym
from jomed_app.storage.durable import write_file

BY_FILE = "file"
COLUMNS = (*MATCHED_BY, BY_FILE)
KEY_BYTES = 32
BY_IMAGE = frozenset({"sop_instance_uid", BY_FILE})  # the others name several images


@dataclass(frozen=True, slots=True)
class Labelled:
    """What the table says of a file, series, study or patient."""

    label: str
    passage: str
    split: str


@dataclass(frozen=True, slots=True)
class LabelTable:
    """Labels by pseudonym.

    Attributes:
        column: what files are matched by.
        rows: pseudonym of that -> what is said.
    """

    column: str
    rows: dict[str, Labelled]

    @property
    def is_by_image(self) -> bool:
        """Whether a row is of one image, and not of a series or more."""
        return self.column in BY_IMAGE


def read_labels(path: Path, task: Task, key: bytes) -> LabelTable:
    """Read a table of labels: CSV, UTF-8.

    Args:
        path: has the column `label`, one of `COLUMNS`, and if wanted `passage` and `split`.
        task: its labels must cover the table's.
        key: of the pseudonyms.

    Raises:
        RecordError: if columns are missing, a label is not the task's, or a row stands twice with
            two labels. No identifier is repeated.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            names = [str(name).strip().casefold() for name in reader.fieldnames or ()]
            reader.fieldnames = names
            lines = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RecordError(
            "the table of labels must be a CSV file in UTF-8, found none that can be read; check "
            "its path and how it was saved"
        ) from error
    matched = [name for name in names if name in COLUMNS]
    if len(matched) != 1 or "label" not in names:
        raise RecordError(
            f"the table of labels must have the column 'label' and one of {list(COLUMNS)}, found "
            f"{len(matched)} of these and {'a' if 'label' in names else 'no'} label; rename columns"
        )
    column = matched[0]
    rows: dict[str, Labelled] = {}
    for number, line in enumerate(lines, start=2):
        said = Labelled(*(str(line.get(name) or "").strip() for name in
                          ("label", "passage", "split")))  # fmt: skip
        value = str(line.get(column) or "").strip()
        if not value:
            continue
        if said.label not in task.labels:
            raise RecordError(
                f"labels must be among {list(task.labels)}, line {number} of the table has "
                "another; rename it or leave the line out"
            )
        name = pseudonym(key, column, value)
        if rows.setdefault(name, said) != said:
            raise RecordError(
                f"line {number} of the table of labels must say the same as the one before of its "
                f"{column}, found another; correct it"
            )
    return LabelTable(column, rows)


def load_key(path: Path) -> bytes:
    """Read the secret of the pseudonyms, or make one where there is none yet.

    Whoever has it can tell whether a case is of a patient they know: keep it apart from the cases.

    Raises:
        ConfigError: if the file holds something else.
    """
    if not path.exists():
        write_file(path, secrets.token_hex(KEY_BYTES) + "\n")
        path.chmod(0o600)
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (ValueError, OSError) as error:
        raise ConfigError(
            f"'{path.name}' must hold a key of {KEY_BYTES} bytes in hexadecimal, found something "
            "else; name another file, a new one is made"
        ) from error
    if len(key) != KEY_BYTES:
        raise ConfigError(
            f"'{path.name}' must hold a key of {KEY_BYTES} bytes, found {len(key)}; name another "
            "file, a new one is made"
        )
    return key
