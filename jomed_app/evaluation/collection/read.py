"""Read a collection's own cases, each beside the cases of other groups."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jomed_app.boxes import Box
from jomed_app.data.records import CaseRecord
from jomed_app.errors import ImageError, RecordError
from jomed_app.evaluation.collection.groups import Groups
from jomed_app.evaluation.held_out import HeldOutCase
from jomed_app.evaluation.split_reader import SplitReader
from jomed_app.imaging.decoder import read_untrusted
from jomed_app.types import ImageRecord

Source = Callable[[str], ImageRecord]
"""Case id -> its image, to be read as a query."""


@dataclass(frozen=True, slots=True)
class ReadCollection:
    """What was gathered of N cases, before any setting.

    Attributes:
        records: N cases; groups: N names.
        labels: (N,) label indexes.
        standard: N, by similarity alone.
        joint: N, by the trained search; empty without one.
        grown: size of the collection -> N, by similarity alone, beside so many cases.
        is_original: whether queries are the cases' own files; else their thumbnails.
    """

    records: tuple[CaseRecord, ...]
    groups: tuple[str, ...]
    labels: NDArray[np.intp]
    standard: tuple[HeldOutCase, ...]
    joint: tuple[HeldOutCase, ...]
    grown: Mapping[int, tuple[HeldOutCase, ...]]
    is_original: bool

    @property
    def boxes(self) -> list[list[Box]]:
        """True boxes of every case, px of its file; what thumbnails have is of another size."""
        return [record.box_list if self.is_original else [] for record in self.records]


def choose_cases(ids: Sequence[str], most: int) -> list[str]:
    """At most so many cases, those of smallest hash: the same ones always, sorted.

    Args:
        ids: all of them.
        most: >= 1.
    """
    hashed = sorted(ids, key=lambda text: hashlib.sha256(text.encode()).digest())
    return sorted(hashed[:most])


def source_of(reader: SplitReader, folder: Path | None) -> Source:
    """Where queries come from: the cases' own files, or the index's thumbnails.

    Args:
        reader: its index names the files.
        folder: what their paths start from; None takes thumbnails.

    Returns:
        A callable that raises `RecordError` for a file that is missing or another than was indexed.
    """
    index = reader.index

    def thumbnail(case_id: str) -> ImageRecord:
        return read_untrusted(index.thumb_jpeg(case_id), region=None)

    def original(case_id: str) -> ImageRecord:
        assert folder is not None, "thumbnails are read without one"
        try:
            image = read_untrusted(index.candidate(case_id).image_in(folder))
        except (ImageError, OSError) as error:
            raise RecordError(
                f"the file of case '{case_id}' must lie where the index found it, found none that "
                "can be read; name the folder that was indexed, or leave --data out"
            ) from error
        if image.sha256 != index.image_sha256(case_id):
            raise RecordError(
                f"the file of case '{case_id}' must be the one that was indexed, found another; "
                "build the index again, or leave --data out"
            )
        return image

    return thumbnail if folder is None else original


def read_collection(
    reader: SplitReader,
    chosen: Sequence[str],
    groups: Groups,
    source: Source,
    *,
    is_original: bool,
    hidden: Mapping[int, Collection[str]] | None = None,
    on_case: Callable[[int, int], None] = lambda *_: None,
) -> ReadCollection:
    """Read cases of an index beside those of other groups.

    Args:
        reader: of the index; its task has all of the index's labels.
        chosen: N ids.
        groups: nothing of a case's own group stands beside it.
        source: of the queries.
        is_original: whether they are the cases' own files.
        hidden: size -> cases that are not there yet; each is read too, by similarity alone.
        on_case: called with (cases done, N).
    """
    index, has_heads = reader.index, reader.is_own and reader.parts.has_trained_heads
    records = tuple(index.candidate(each) for each in chosen)
    standard: list[HeldOutCase] = []
    joint: list[HeldOutCase] = []
    grown: dict[int, list[HeldOutCase]] = {size: [] for size in hidden or {}}
    for place, record in enumerate(records):
        seen = reader.look(source(record.case_id), remembers=True)
        own = groups.members[groups.of[record.case_id]]
        standard.append(reader.read(seen, record, trained=False, draws=False, hidden=own))
        if has_heads:
            joint.append(reader.read(seen, record, trained=True, hidden=own))
        for size, missing in (hidden or {}).items():
            left_out = own | frozenset(missing)
            if len(index) - len(left_out) >= 1:
                case = reader.read(seen, record, trained=False, draws=False, hidden=left_out)
                grown[size].append(case)
        on_case(place + 1, len(records))
    return ReadCollection(
        records=records,
        groups=tuple(groups.of[record.case_id] for record in records),
        labels=np.array([reader.task.labels.index(each.label) for each in records], np.intp),
        standard=tuple(standard),
        joint=tuple(joint),
        grown={size: tuple(each) for size, each in grown.items() if len(each) == len(records)},
        is_original=is_original,
    )
