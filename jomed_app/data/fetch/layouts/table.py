"""Any dataset of parquet tables with images in them -> records, by a mapping of columns."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field, ValidationError

from jomed_app.data.fetch.catalogue import PublicSet
from jomed_app.data.fetch.layouts.written import IMAGES, Written, finish_records, image_size_px
from jomed_app.data.fetch.unpack import Published
from jomed_app.data.records import AskedQuestion, CaseRecord
from jomed_app.data.sources.slake import split_statements, state_answers
from jomed_app.errors import ConfigError, FetchError, first_fault
from jomed_app.types import Frozen

BATCH = 64
# A split in a file's name, as the Hub writes them: "train-00000-of-00007.parquet".
_SPLIT = re.compile(r"(?:^|[/._-])(train|validation|valid|val|dev|test)(?=[/._-])")
_SPLITS = {"validation": "val", "valid": "val", "dev": "val"}
_ENDINGS = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpg"}
_YES_NO = ("yes", "no")


class TableSettings(Frozen):
    """Which column says what.

    Attributes:
        image: holds the image: its bytes, or the Hub's record of bytes and path.
        label: class, a text or a number.
        labels: what that column says -> the task's label; a row that says anything else is left
            out. Empty takes texts as they are.
        passage: what is written about the image.
        group: patient, or anything that must not be torn apart.
        question, answer: for open tasks; rows of one image become one case.
    """

    image: str = "image"
    label: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    passage: str = ""
    group: str = ""
    question: str = ""
    answer: str = ""


def write_table(found: Published, out: Path, described: PublicSet) -> Written:
    """Write what parquet tables hold, by the description's mapping of columns.

    Ours: one case per image (by its bytes) and split. Without a passage column, answered
    questions are worded as statements; without either the passage says that nothing is written.

    Raises:
        FetchError: if there is no table or it lacks a column.
        ConfigError: if the description maps nothing.
    """
    try:
        columns = TableSettings.model_validate(described.settings)
    except ValidationError as error:
        raise ConfigError(
            f"the layout table requires a mapping: {first_fault(error, 'settings')}"
        ) from error
    if not columns.label and not columns.question:
        raise ConfigError(
            "the layout table requires the column `label` or `question` in its settings, found "
            "neither; see docs/data.md"
        )
    (out / IMAGES).mkdir(parents=True, exist_ok=True)
    found.one("*.parquet")
    written, cases = Written(), dict[tuple[str, str], CaseRecord]()
    for path in found.all("*.parquet"):
        match = _SPLIT.search(path.name) or _SPLIT.search(path.parent.name + "/")
        split = _SPLITS.get(match[1], match[1]) if match else ""
        for row in _rows(path, columns):
            _add(row, split, columns, cases, out, described, written)
    return finish_records(out, list(cases.values()), written)


def _add(
    row: dict[str, Any],
    split: str,
    columns: TableSettings,
    cases: dict[tuple[str, str], CaseRecord],
    out: Path,
    described: PublicSet,
    written: Written,
) -> None:
    """Add a row to its image's case, or make one."""
    held = row[columns.image]
    data = held.get("bytes") if isinstance(held, dict) else held
    label = _label(row, columns)
    if label is None:
        written.left_out["label that the mapping does not name"] += 1
        return
    if not isinstance(data, bytes) or not data:
        written.left_out["row without an image"] += 1
        return
    name = hashlib.sha256(data).hexdigest()[:16]
    asked = _asked(row, columns)
    if known := cases.get((name, split)):
        questions = (*known.questions, *asked)
        passage = known.passage if columns.passage else _worded(questions)
        cases[name, split] = known.model_copy(update={"questions": questions, "passage": passage})
        return
    size = image_size_px(data)
    if size is None:
        written.left_out["image that cannot be read"] += 1
        return
    ending = next((each for head, each in _ENDINGS.items() if data.startswith(head)), "tif")
    (out / IMAGES / f"{name}.{ending}").write_bytes(data)
    cases[name, split] = CaseRecord(
        case_id=f"{described.name}-{name}" + (f"-{split}" if split else ""),
        image=f"{IMAGES}/{name}.{ending}",
        label=label,
        passage=_text(row.get(columns.passage)) if columns.passage else _worded(asked),
        group=_text(row.get(columns.group)) if columns.group else "",
        split=split,
        rows=size[0],
        columns=size[1],
        questions=asked,
        provenance={"source": described.title, "licence": described.licence},
    )


def _rows(path: Path, columns: TableSettings) -> Iterator[dict[str, Any]]:
    needed = [getattr(columns, name) for name in
              ("image", "label", "passage", "group", "question", "answer")]  # fmt: skip
    needed = list(dict.fromkeys(name for name in needed if name))
    try:
        table = pq.ParquetFile(path)
        if missing := sorted(set(needed) - set(table.schema_arrow.names)):
            raise FetchError(
                f"'{path.name}' must have the columns {missing}, found "
                f"{sorted(table.schema_arrow.names)}; mend the mapping"
            )
        for batch in table.iter_batches(BATCH, columns=needed):
            yield from batch.to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise FetchError(
            f"'{path.name}' must be a parquet table, found something else; fetch it again"
        ) from error


def _label(row: dict[str, Any], columns: TableSettings) -> str | None:
    """The task's label; None where the mapping does not name what the row says."""
    if not columns.label:
        return "image"
    said = _text(row[columns.label])
    return columns.labels.get(said) if columns.labels else (said or None)


def _asked(row: dict[str, Any], columns: TableSettings) -> tuple[AskedQuestion, ...]:
    if not columns.question:
        return ()
    question, answer = _text(row[columns.question]), _text(row.get(columns.answer))
    if not question or not answer:
        return ()
    closed = answer.casefold() in _YES_NO
    return (AskedQuestion(question=question, answer=answer, is_closed=closed),)


def _worded(asked: tuple[AskedQuestion, ...]) -> str:
    said = state_answers([(one.question, one.answer) for one in asked])
    return split_statements(said)[0] if said else "Nothing is written about this image."


def _text(value: object) -> str:
    return " ".join(str(value).split()) if value is not None else ""
