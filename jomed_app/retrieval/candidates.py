"""The candidates of an index on disk: records as parquet, thumbnails as JPEG in one Arrow file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from jomed_app.data.records import CaseRecord

CANDIDATES_FILE = "candidates.parquet"
THUMBS_FILE = "thumbs/thumbs.arrow"
JPEG_QUALITY = 90
_IMAGE_HASH = "image_sha256"

_TEXT_MAP = pa.map_(pa.string(), pa.string())
_SCHEMA = pa.schema(
    [
        ("case_id", pa.string()),
        ("image", pa.string()),
        ("label", pa.string()),
        ("passage", pa.string()),
        ("extended_passage", pa.string()),
        ("descriptors", _TEXT_MAP),
        ("boxes", pa.list_(pa.list_(pa.float64(), 4))),
        ("box_labels", pa.list_(pa.string())),
        ("group", pa.string()),
        ("split", pa.string()),
        ("rows", pa.int32()),
        ("columns", pa.int32()),
        ("provenance", _TEXT_MAP),
        (_IMAGE_HASH, pa.string()),
    ]
)
_QUESTIONS = pa.field(
    "questions",
    pa.list_(
        pa.struct([("question", pa.string()), ("answer", pa.string()), ("is_closed", pa.bool_())])
    ),
)
_MAPS = ("descriptors", "provenance")


def write_candidates(
    folder: Path, records: Sequence[CaseRecord], image_hashes: Sequence[str]
) -> None:
    """Write `candidates.parquet`: every field of every record, and its image file's SHA-256.

    A corpus without questions has no column for them.
    """
    lines: list[dict[str, Any]] = []
    for record, image_hash in zip(records, image_hashes, strict=True):
        line = record.model_dump() | {_IMAGE_HASH: image_hash, "box_labels": record.box_labels}
        line |= {name: sorted(line[name].items()) for name in _MAPS}
        lines.append(line)
    has_questions = any(record.questions for record in records)
    schema = _SCHEMA.append(_QUESTIONS) if has_questions else _SCHEMA
    table = pa.Table.from_pylist(lines, schema=schema)
    pq.write_table(table, folder / CANDIDATES_FILE, compression="zstd")


def read_candidates(folder: Path) -> tuple[list[CaseRecord], list[str]]:
    """Read `candidates.parquet`: records and image hashes in row order."""
    records, hashes = [], []
    for line in pq.read_table(folder / CANDIDATES_FILE).to_pylist():
        hashes.append(line.pop(_IMAGE_HASH))
        line |= {name: dict(line[name]) for name in _MAPS}
        line["questions"] = line.get("questions") or ()
        records.append(CaseRecord.model_validate(line))
    return records, hashes


def encode_thumb(image: NDArray[np.uint8], thumb_px: int) -> bytes:
    """Return a uint8 RGB image as a JPEG whose longest side is at most `thumb_px`.

    Small images keep their size. An image without color is stored as gray, which is smaller.
    """
    thumb = Image.fromarray(image)
    thumb.thumbnail((thumb_px, thumb_px), Image.Resampling.LANCZOS)
    if (image[..., 0] == image[..., 1]).all() and (image[..., 0] == image[..., 2]).all():
        thumb = thumb.convert("L")
    stream = io.BytesIO()
    thumb.save(stream, "JPEG", quality=JPEG_QUALITY, optimize=True)
    return stream.getvalue()


def decode_thumb(jpeg: bytes) -> NDArray[np.uint8]:
    """Return the (rows, columns, 3) uint8 RGB image of a JPEG."""
    with Image.open(io.BytesIO(jpeg)) as image:
        return np.array(image.convert("RGB"), dtype=np.uint8)


def write_thumbs(folder: Path, jpegs: Sequence[bytes]) -> None:
    """Write all thumbnails, in row order, to one file that can be read piece by piece."""
    path = folder / THUMBS_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    batch = pa.record_batch({"jpeg": pa.array(jpegs, type=pa.large_binary())})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)


class Thumbs:
    """Thumbnails of an index, mapped into memory; a row is read when it is asked for."""

    def __init__(self, folder: Path) -> None:
        self._source = pa.memory_map(str(folder / THUMBS_FILE), "r")
        self._column = pa.ipc.open_file(self._source).read_all().column("jpeg")

    def __len__(self) -> int:
        return len(self._column)

    def jpeg(self, row: int) -> bytes:
        """Return the JPEG bytes of one row."""
        content: bytes = self._column[row].as_py()
        return content
