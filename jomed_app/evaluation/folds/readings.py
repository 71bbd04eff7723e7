"""Every fold's held-out cases, read in every way a report needs; what was read is kept on disk."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from jomed_app.data.corpus import assign_folds
from jomed_app.data.tasks import Task
from jomed_app.evaluation.folds.located import find_held_out
from jomed_app.evaluation.folds.read_fold import TableView, read_fold, read_joint, view_of
from jomed_app.evaluation.folds.stored import load_cases, save_cases
from jomed_app.evaluation.held_out import HeldOutCase
from jomed_app.imaging.annotations import mask_annotations
from jomed_app.models.localizer.detection import Detection
from jomed_app.models.pixels import Letterbox
from jomed_app.models.reader.packed import PackedReader
from jomed_app.models.retriever.embedded import RetrieverProjections
from jomed_app.progress import OnProgress
from jomed_app.training.cases.fold_corpus import FoldCorpus
from jomed_app.training.cases.image_set import ImageSet
from jomed_app.training.cases.table import ReaderTable, load_reader_table
from jomed_app.training.cases.table_reader import TableReader, frozen_reader
from jomed_app.training.cases.tower_tokens import encode_corpus_tokens
from jomed_app.training.retriever.stage import open_cache
from jomed_app.training.run.workspace import Workspace
from jomed_app.types import CorpusKind

logger = logging.getLogger(__name__)

NUM_PARTS = 5  # of a single held-out split


@dataclass(frozen=True, slots=True)
class ReadingKind:
    """One way of reading the folds with the frozen retriever.

    Attributes:
        name: of its files: `<name>.fold0.json` ...
        report: name of its reports.
        corpus: candidates and voters: the other folds' real cases, or the embedded index's.
        is_masked: whether annotations in the image are masked first.
        is_thorough: whether the reader says boxes of its own too and answers beside misleading
            candidates, and whether every seed of the trained heads is read with, not the first one.
    """

    name: str
    report: str
    corpus: CorpusKind
    is_masked: bool = False
    is_thorough: bool = False

    @property
    def index(self) -> str:
        """What a report calls the corpus."""
        return "other-folds" if self.corpus == "real" else "simulated-index"

    def joint(self, seed: int) -> str:
        """Name of the same reading with trained query heads."""
        return Workspace.joint_name(self.name, seed)


PLAIN = ReadingKind("raw", "report", "real", is_thorough=True)
QUICK = ReadingKind("raw.quick", "report", "real")
MASKED = ReadingKind("raw.masked", "report.masked", "real", is_masked=True)
INDEXED = ReadingKind("raw.index", "report.index", "simulated")


def kinds_of(task: Task, *, thorough: bool = True) -> tuple[ReadingKind, ...]:
    """The ways in which a task's folds are read: masks and an index belong to the simulated one.

    Args:
        task: whose cases they are.
        thorough: whether all is read that reports can show, or what a bundle's settings need.
    """
    if not thorough:
        return (QUICK, INDEXED) if task.simulator else (QUICK,)
    return (PLAIN, MASKED, INDEXED) if task.simulator else (PLAIN,)


def profiles_of(kinds: Sequence[ReadingKind]) -> dict[CorpusKind, ReadingKind]:
    """The reading that a bundle's settings for each kind of corpus are fitted on."""
    return {kind.corpus: kind for kind in kinds if not kind.is_masked}


@dataclass(frozen=True, slots=True)
class FoldReadings:
    """What was read of all folds.

    Attributes:
        raw: name of a reading -> row -> what was read.
        table: the cases.
        view: arrays over them.
        parts: the held-out rows in parts; settings for one are fitted on the others.
        empty: indexes of the labels without a finding.
    """

    raw: Mapping[str, dict[int, HeldOutCase]]
    table: ReaderTable
    view: TableView
    parts: Sequence[frozenset[int]]
    empty: Sequence[int]

    def of_part(self, name: str, part: int) -> dict[int, HeldOutCase]:
        """One part of a reading."""
        return {row: case for row, case in self.raw[name].items() if row in self.parts[part]}

    def of_others(self, name: str, part: int) -> dict[int, HeldOutCase]:
        """All parts of a reading but one."""
        return {row: case for row, case in self.raw[name].items() if row not in self.parts[part]}


def read_folds(
    work: Workspace, on_progress: OnProgress, kinds: Sequence[ReadingKind] = ()
) -> FoldReadings:
    """Read what was not read before; each fold by the reader that never saw it.

    Args:
        work: the run.
        on_progress: called after every case.
        kinds: ways to read; left out, all of the task's.
    """
    plain, _ = work.trainable_reader()
    table = load_reader_table(work, plain, with_index=True)
    view = view_of(table, work.task, plain.tower.config)
    kinds = kinds or kinds_of(work.task)
    queries = _Queries(plain, table)
    raw: dict[str, dict[int, HeldOutCase]] = {}
    done, total = 0, len(kinds) * len(table.held_out)
    for fold in range(work.config.train_reader.folds):
        reading = _Fold(work, table, view, fold, queries)
        for kind in kinds:
            for name, cases in reading.read(kind, _after(on_progress, done, total)).items():
                raw.setdefault(name, {}).update(cases)
            logger.info("fold %d, %s: read", fold, kind.name)
            done += len(table.held_out_rows(fold))
            on_progress(done, total)
    empty = [work.task.labels.index(name) for name in work.task.empty_labels]
    parts = _parts(table, work.config.train_reader.folds)
    return FoldReadings(raw, table, view, parts, empty)


def _parts(table: ReaderTable, folds: int) -> list[frozenset[int]]:
    """The folds; where one split is held out, as many parts of it, no group torn."""
    if folds > 1:
        return [frozenset(table.held_out_rows(fold).tolist()) for fold in range(folds)]
    rows = table.held_out
    parts = assign_folds([table.records[int(row)] for row in rows], NUM_PARTS, 0)
    return [frozenset(rows[parts == part].tolist()) for part in range(NUM_PARTS)]


class _Queries:
    """Patch tokens of the real cases; the tower is the same in all folds, so masks cost once."""

    def __init__(self, reader: PackedReader, table: ReaderTable) -> None:
        self._reader, self._table = reader, table
        self._masked: torch.Tensor | None = None

    def tokens(self, is_masked: bool) -> torch.Tensor:
        """(R, P, C) of the R real cases, as they are or with annotations masked."""
        if not is_masked:
            return self._table.tokens[self._table.real]
        if self._masked is None:
            self._masked = _masked_tokens(self._reader, self._table)
        return self._masked


class _Fold:
    """One held-out fold and what is needed to read it; the reader is loaded when it is."""

    def __init__(
        self, work: Workspace, table: ReaderTable, view: TableView, fold: int, queries: _Queries
    ) -> None:
        self.work, self.table, self.view, self.fold = work, table, view, fold
        self.queries = queries
        self.name = work.fold_name(fold)
        self._reader: PackedReader | None = None
        self._found: dict[bool, Mapping[int, tuple[Detection, Letterbox]]] = {}

    @property
    def reader(self) -> PackedReader:
        """The fold's tuned reader."""
        self._reader = self._reader or frozen_reader(self.work, self.name)
        return self._reader

    def read(self, kind: ReadingKind, on_progress: OnProgress) -> dict[str, dict[int, HeldOutCase]]:
        """One kind of reading, and the same with every set of trained heads."""
        table = self.table
        corpus = table.index if kind.corpus == "simulated" else table.training_rows(self.fold)
        file = self._file(kind.name)
        if not file.is_file():
            found = read_fold(
                self.reader,
                self.work.task,
                FoldCorpus(table, self.fold, corpus),
                self.fold,
                self.queries.tokens(kind.is_masked),
                self.view,
                self.work.config.index.k_per_head,
                asks_box=kind.is_thorough and self.work.task.has_boxes,
                misleads=kind.is_thorough,
                on_progress=on_progress,
            )
            save_cases(file, found)
        read = {kind.name: load_cases(file)}
        if not kind.is_masked:
            trained = self._trained_heads()
            for seed, heads in trained if kind.is_thorough else trained[:1]:
                standard = read[kind.name]
                read[kind.joint(seed)] = self._read_joint(kind, corpus, seed, heads, standard)
        if not self.work.task.has_boxes:
            return read
        for name, cases in read.items():
            said = self._find(kind.is_masked)
            read[name] = {row: case.with_detection(*said[row]) for row, case in cases.items()}
            save_cases(self._file(name), read[name])
        return read

    def _find(self, is_masked: bool) -> Mapping[int, tuple[Detection, Letterbox]]:
        """What the fold's localizer says; each image is looked at once for all readings."""
        if is_masked not in self._found:
            self._found[is_masked] = find_held_out(
                self.work, self.name, self.table, self.fold, is_masked
            )
        return self._found[is_masked]

    def _trained_heads(self) -> list[tuple[int, RetrieverProjections]]:
        folders = sorted(self.work.retriever(self.name).glob("seed*/projections"))
        return [
            (int(folder.parent.name.removeprefix("seed")), _load_heads(folder))
            for folder in folders
        ]

    def _read_joint(
        self,
        kind: ReadingKind,
        members: np.ndarray[tuple[int], np.dtype[np.int64]],
        seed: int,
        heads: RetrieverProjections,
        raw: dict[int, HeldOutCase],
    ) -> dict[int, HeldOutCase]:
        file = self._file(kind.joint(seed))
        if not file.is_file():
            found = read_joint(
                TableReader(self.reader, self.work.task, self.table),
                FoldCorpus(self.table, self.fold, members),
                heads,
                open_cache(self.work, self.name, self.table),
                raw,
                self.work.config.index.k_per_head,
            )
            save_cases(file, found)
        return load_cases(file)

    def _file(self, name: str) -> Path:
        return self.work.reading(name, self.name)


def _load_heads(folder: Path) -> RetrieverProjections:
    heads = RetrieverProjections.from_pretrained(folder)
    heads.train(False)
    return heads


def _after(on_progress: OnProgress, start: int, whole: int) -> OnProgress:
    """Report one part of a longer piece of work."""

    def report(done: int, total: int, **figures: float) -> None:
        on_progress(start + done, whole, **figures)

    return report


def _masked_tokens(reader: PackedReader, table: ReaderTable) -> torch.Tensor:
    squares = [mask_annotations(table.images.squares[int(row)]) for row in table.real]
    records = [table.records[int(row)] for row in table.real]
    boxes = table.images.boxes[torch.from_numpy(np.asarray(table.real))]
    return encode_corpus_tokens(reader, ImageSet(records, squares, boxes))
