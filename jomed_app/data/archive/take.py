"""A folder of DICOM files to de-identified cases, resumable, with a report of what was left out.

Of a file only its picture is taken, without the machine's screen around it and with burned-in text
masked, and what pseudonyms say: patient, mapped study UID, moved day. File names are never written.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from jomed_app.data.archive.labels import BY_FILE, Labelled, LabelTable, load_key, read_labels
from jomed_app.data.fetch.layouts.written import IMAGES, Written, finish_records
from jomed_app.data.records import CaseRecord
from jomed_app.data.tasks import Task
from jomed_app.errors import ConfigError, ImageError, RecordError
from jomed_app.imaging.content.text import find_text
from jomed_app.imaging.decoder import read_untrusted
from jomed_app.imaging.identity import Identity, pseudonym, read_identity
from jomed_app.imaging.limits import MAX_FILE_BYTES
from jomed_app.progress import OnProgress
from jomed_app.storage.durable import require_writable, write_file
from jomed_app.types import Frozen

JOURNAL_FILE = "taken.jsonl"
REPORT_FILE = "report.json"
MASK_PX = 3  # ours: around a line of text
NO_REPORT = "No report."

NOT_DICOM = "no DICOM image that can be read"
TOO_LARGE = "file larger than one may be"
LINK = "symbolic link"
NO_LABEL = "not in the table of labels"
OTHER_OF_SERIES = "another image of a series that is in"
UNDECODED = "picture that cannot be decoded"
TEXT = "text burned in"
TEXT_LEFT = "text burned in that could not be masked"
TEXT_UNSEEN = "says that text is burned in, none was found"
DUPLICATE = "same picture as another file"
NAMED = "passage that names the patient"


class TextPolicy(StrEnum):
    """What becomes of a picture with burned-in text."""

    MASK = "mask"
    REFUSE = "refuse"


class TakeReport(Frozen):
    """What became of the files of an archive; no name, path or identifier is in it.

    Attributes:
        files: in the folder.
        cases: taken.
        masked: of them with burned-in text painted over.
        patients: groups of cases.
        left_out: why -> how many files.
    """

    files: int
    cases: int
    masked: int
    patients: int
    left_out: dict[str, int] = Field(default_factory=dict)


class Entry(Frozen):
    """One line of the journal: what became of a file under what the table said of it."""

    entry: str
    why: str = ""
    masked: bool = False
    picture: str = ""
    record: CaseRecord | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A file with its label, not decoded yet."""

    path: Path
    identity: Identity
    said: Labelled


@dataclass(frozen=True, slots=True)
class Archive:
    """How an archive is taken.

    Attributes:
        source, licence: as every case states them.
        key: of the pseudonyms.
        text: see `TextPolicy`.
    """

    source: str
    licence: str
    key: bytes
    text: TextPolicy


def take_archive(
    folder: Path,
    labels: Path,
    out: Path,
    task: Task,
    *,
    key_file: Path,
    source: str,
    licence: str,
    text: TextPolicy = TextPolicy.MASK,
    on_progress: OnProgress | None = None,
) -> TakeReport:
    """Take the labelled pictures of an archive into a folder of cases.

    Ours: where the table names series, studies or patients, the middle image of every series is
    taken; of a film its middle frame. What was taken before is not decoded again.

    Args:
        folder: searched at any depth; links are not followed.
        labels: see `read_labels`.
        out: folder of cases; new, or one that this wrote before.
        task: of the labels.
        key_file: secret of the pseudonyms; made where there is none. Not inside `out`.
        source: name of the collection, as it is shown.
        licence: on which terms the cases may be used.
        text: what becomes of burned-in text.
        on_progress: called with (files done, files) of each of two passes.

    Returns:
        What became of the files; also written to `out`.

    Raises:
        ConfigError: if the folder is not there, or the key would lie among the cases.
        RecordError: if the table needs mending, or nothing can be taken.
        StorageError: if there is no room or no permission.
    """
    if not folder.is_dir():
        raise ConfigError("an archive must be a folder, found none; check the path")
    if out.absolute() in key_file.absolute().parents:
        raise ConfigError(
            "the key must lie apart from the cases that it stands for, found it among them; name "
            "another file"
        )
    if out.exists() and any(out.iterdir()) and not (out / JOURNAL_FILE).is_file():
        raise ConfigError(
            "cases are taken into a new folder, or one that was begun before, found another; name "
            "a new one"
        )
    require_writable(out)
    archive = Archive(source, licence, load_key(key_file), text)
    table = read_labels(labels, task, archive.key)
    (out / IMAGES).mkdir(parents=True, exist_ok=True)
    left_out: Counter[str] = Counter()
    files = sorted(path for path in folder.rglob("*") if path.is_symlink() or path.is_file())
    found = list(_labelled(folder, files, table, archive.key, left_out, on_progress))
    if not table.is_by_image:
        chosen = _middle_of_series(found)
        left_out[OTHER_OF_SERIES] += len(found) - len(chosen)
        found = chosen
    entries = _take(found, archive, out, on_progress)
    records, pictures, masked = [], set[str](), 0
    for entry in entries:
        if entry.record is None or entry.picture in pictures:
            left_out[entry.why or DUPLICATE] += 1
            continue
        pictures.add(entry.picture)
        masked += entry.masked
        records.append(entry.record)
    if not records:
        raise RecordError(
            f"an archive must hold labelled pictures, found none in {len(files)} files "
            f"({_in_words(left_out)}); check the table of labels"
        )
    patients = len({record.group for record in records})
    finish_records(out, records, Written())
    report = TakeReport(files=len(files), cases=len(records), masked=masked, patients=patients,
                        left_out=dict(sorted((+left_out).items())))  # fmt: skip
    write_file(out / REPORT_FILE, report.model_dump_json(indent=2) + "\n")
    return report


def _labelled(
    folder: Path,
    files: Sequence[Path],
    table: LabelTable,
    key: bytes,
    left_out: Counter[str],
    on_progress: OnProgress | None,
) -> Iterator[Found]:
    """The first pass: whose each file is, and what the table says of it."""
    for place, path in enumerate(files):
        if on_progress is not None:
            on_progress(place + 1, len(files))
        if path.is_symlink():
            left_out[LINK] += 1
            continue
        if path.stat().st_size > MAX_FILE_BYTES:
            left_out[TOO_LARGE] += 1
            continue
        try:
            identity = read_identity(path.read_bytes(), key)
        except ImageError:
            left_out[NOT_DICOM] += 1
            continue
        name = (
            pseudonym(key, BY_FILE, path.relative_to(folder).as_posix())
            if table.column == BY_FILE
            else identity.keys.get(table.column, "")
        )
        if name not in table.rows:
            left_out[NO_LABEL] += 1
            continue
        yield Found(path, identity, table.rows[name])


def _middle_of_series(found: Sequence[Found]) -> list[Found]:
    """The middle image of every series, by its place there."""
    series: dict[str, list[Found]] = defaultdict(list)
    for each in found:
        series[each.identity.series].append(each)
    return [
        sorted(images, key=lambda each: each.identity.place)[len(images) // 2]
        for images in series.values()
    ]


def _take(
    found: Sequence[Found], archive: Archive, out: Path, on_progress: OnProgress | None
) -> list[Entry]:
    """The second pass: decode, mask, write; every outcome is kept at once."""
    kept = dict(_read_journal(out / JOURNAL_FILE))
    entries = []
    with (out / JOURNAL_FILE).open("a", encoding="utf-8") as journal:
        journal.write("\n" * bool(kept))  # a kill may have left half a line
        for place, each in enumerate(found):
            data = each.path.read_bytes()
            name = _entry_name(data, each.said, archive)
            entry = kept.get(name)
            if entry is None or (
                entry.record is not None and not (out / entry.record.image).is_file()
            ):
                entry = _taken(data, each, archive, out, name)
                journal.write(json.dumps(entry.model_dump(mode="json")) + "\n")
                journal.flush()
                os.fsync(journal.fileno())
                kept[name] = entry
            entries.append(entry)
            if on_progress is not None:
                on_progress(place + 1, len(found))
    return entries


def _taken(data: bytes, each: Found, archive: Archive, out: Path, name: str) -> Entry:
    """Decode one file and write its picture, or say why not."""
    identity, said = each.identity, each.said
    if identity.is_named_in(said.passage):
        return Entry(entry=name, why=NAMED)
    try:
        pixels = _picture(data, identity.frames // 2)
    except ImageError:
        return Entry(entry=name, why=UNDECODED)
    lines = find_text(pixels)
    if lines and archive.text is TextPolicy.REFUSE:
        return Entry(entry=name, why=TEXT)
    if not lines and identity.says_text:
        return Entry(entry=name, why=TEXT_UNSEEN)
    if lines:
        pixels = _masked(pixels, lines)
        if find_text(pixels):
            return Entry(entry=name, why=TEXT_LEFT)
    case_id = f"own-{name[:16]}"
    file = f"{IMAGES}/{case_id}.png"
    _write_png(out / file, pixels)
    record = CaseRecord(
        case_id=case_id,
        image=file,
        label=said.label,
        passage=said.passage or NO_REPORT,
        group=identity.patient,
        split=said.split,
        rows=pixels.shape[0],
        columns=pixels.shape[1],
        provenance={
            "source": archive.source,
            "licence": archive.licence,
            "label_made": "by the table that came with the archive; not reviewed by us",
            "study": identity.study_uid,
            "studied": identity.studied or "unknown",
        },
    )
    picture = hmac.new(archive.key, pixels.tobytes(), hashlib.sha256).hexdigest()[:32]
    return Entry(entry=name, masked=bool(lines), picture=picture, record=record)


def _picture(data: bytes, frame: int) -> NDArray[np.uint8]:
    """The part of a frame that would be read, as it is: what is read has strokes painted over.

    Ours: the machine's screen around an ultrasound, which names the patient, is not taken.
    """
    found = read_untrusted(data, frame=frame).info.region
    whole = read_untrusted(data, frame=frame, region=None).model_input
    if found is None:
        return whole
    return whole[found.y0 : found.y1, found.x0 : found.x1]


def _masked(
    pixels: NDArray[np.uint8], lines: Sequence[tuple[int, int, int, int]]
) -> NDArray[np.uint8]:
    """Black over whole lines: strokes alone, filled from around, could still be read."""
    masked = pixels.copy()
    for x0, y0, x1, y1 in lines:
        masked[max(0, y0 - MASK_PX) : y1 + MASK_PX, max(0, x0 - MASK_PX) : x1 + MASK_PX] = 0
    return masked


def _write_png(path: Path, pixels: NDArray[np.uint8]) -> None:
    from io import BytesIO

    from PIL.Image import fromarray

    is_gray = bool((pixels == pixels[..., :1]).all())
    stream = BytesIO()
    fromarray(np.ascontiguousarray(pixels[..., 0] if is_gray else pixels)).save(stream, "PNG")
    write_file(path, stream.getvalue())


def _entry_name(data: bytes, said: Labelled, archive: Archive) -> str:
    """A keyed hash of a file and of all that decides what becomes of it."""
    digest = hmac.new(archive.key, data, hashlib.sha256)
    for part in (said.label, said.passage, said.split, archive.text, archive.source,
                 archive.licence):  # fmt: skip
        digest.update(b"\0" + part.encode())
    return digest.hexdigest()[:32]


def _read_journal(path: Path) -> Iterator[tuple[str, Entry]]:
    """What was taken before; a line that a kill cut off is left out."""
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            entry = Entry.model_validate_json(line)
        except ValidationError:
            continue
        yield entry.entry, entry


def _in_words(left_out: Counter[str]) -> str:
    return ", ".join(f"{count} {why}" for why, count in sorted((+left_out).items()))
