"""The case record: one JSON line per case, images beside it. The schema every corpus shares."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from jomed_app.boxes import Box
from jomed_app.errors import BoxError, RecordError, first_fault
from jomed_app.storage.durable import write_file

RECORDS_FILE = "records.jsonl"


class AskedQuestion(BaseModel):
    """A question about an image, and its answer.

    Attributes:
        question: as asked.
        answer: free text, in the set's own words.
        is_closed: whether the question offers its answers (yes or no, or a choice).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    question: str
    answer: str
    is_closed: bool = False


class CaseRecord(BaseModel):
    """One known case: an image, its label and what is written about it.

    Attributes:
        case_id: unique within a corpus.
        image: path relative to the folder that holds `records.jsonl`, and inside of it.
        label: known class of the case.
        passage: text that a search may find and a reader may read.
        extended_passage: a longer wording of the same facts (at most twice as long).
        descriptors: descriptor -> value, empty when unknown or not applicable.
        boxes: XYXY px of the image file, half-open, largest first; empty for normal cases.
        box_labels: class of every box, in the order of the boxes; empty where all boxes are of
            the case's label. Written only where it says something.
        group: cases of one group (twins, one patient) never stand on two sides of a split.
        split: train, val or test; empty when the corpus has none; twin for a near-duplicate of a
            held-out case, which takes part in nothing.
        rows, columns: size of the image file, px.
        questions: asked of the image, with their answers; only open tasks have any.
        provenance: source, licence, how the label was made, and the like; printable facts only.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    case_id: str
    image: str
    label: str
    passage: str
    extended_passage: str = ""
    descriptors: dict[str, str] = {}
    boxes: tuple[tuple[float, float, float, float], ...] = ()
    box_labels: tuple[str, ...] = ()
    group: str = ""
    split: str = ""
    rows: int
    columns: int
    questions: tuple[AskedQuestion, ...] = ()
    provenance: dict[str, str] = {}

    @field_validator("image")
    @classmethod
    def _image_stays_inside(cls, value: str) -> str:
        path = PurePosixPath(value)
        if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in value:
            raise ValueError("the path of an image must be relative and stay in the corpus folder")
        return value

    @field_validator("boxes")
    @classmethod
    def _boxes_are_boxes(
        cls, value: tuple[tuple[float, float, float, float], ...]
    ) -> tuple[tuple[float, float, float, float], ...]:
        for coordinates in value:
            try:
                Box(*coordinates)
            except BoxError as error:
                raise ValueError(str(error)) from error
        return value

    @model_validator(mode="after")
    def _every_box_or_none_is_named(self) -> Self:
        if self.box_labels and len(self.box_labels) != len(self.boxes):
            raise ValueError(
                f"box_labels must name every box or none, found {len(self.box_labels)} labels "
                f"for {len(self.boxes)} boxes"
            )
        return self

    @model_serializer(mode="wrap")
    def _leave_out_what_is_not_said(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Most corpora ask nothing and name no box: their lines and hashes stay as they were."""
        values: dict[str, Any] = handler(self)
        for name in ("box_labels", "questions"):
            if not getattr(self, name):
                values.pop(name, None)
        return values

    def image_in(self, folder: Path) -> Path:
        """Return the image file of this case in the folder of its corpus.

        Raises:
            RecordError: if it is, or lies behind, a symbolic link: a corpus holds what it names.
        """
        path = folder
        for part in PurePosixPath(self.image).parts:
            path = path / part
            if path.is_symlink():
                raise RecordError(
                    f"case '{self.case_id}' must have its image in the corpus folder, found a "
                    "symbolic link; copy the file there"
                )
        return path

    @property
    def box_list(self) -> list[Box]:
        """The boxes as `Box` values."""
        return [Box(*coordinates) for coordinates in self.boxes]


def read_records(folder: Path) -> list[CaseRecord]:
    """Read `records.jsonl` of a corpus folder.

    Raises:
        RecordError: if the file is missing, a line does not follow the schema, or an id repeats.
    """
    path = folder / RECORDS_FILE
    if not path.is_file():
        raise RecordError(
            f"a corpus folder must hold {RECORDS_FILE}, found none in '{folder.name}'"
        )
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise RecordError(
            f"{RECORDS_FILE} must be UTF-8 text, found other bytes; write it again"
        ) from error
    return list(_parse_lines(text.splitlines()))


def _parse_lines(lines: Iterable[str]) -> Iterator[CaseRecord]:
    seen: set[str] = set()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = CaseRecord.model_validate_json(line)
        except ValidationError as error:
            raise RecordError(
                f"{RECORDS_FILE} line {number} must follow the case schema: "
                f"{first_fault(error, 'line')}"
            ) from error
        if record.case_id in seen:
            raise RecordError(
                f"case ids must be unique, '{record.case_id}' stands again on line {number}"
            )
        seen.add(record.case_id)
        yield record


def write_records(folder: Path, records: Iterable[CaseRecord]) -> Path:
    """Write `records.jsonl`, one case a line, keys sorted; return its path."""
    path = folder / RECORDS_FILE
    lines = (json.dumps(record.model_dump(mode="json"), sort_keys=True) for record in records)
    write_file(path, "".join(line + "\n" for line in lines))
    return path
