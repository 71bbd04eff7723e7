"""The stage after training: read every fold, fit the settings, write the reports."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from jomed_app.config import JomedConfig
from jomed_app.evaluation.cross_validation import (
    TableView,
    read_fold,
    to_case_scores,
    view_of,
)
from jomed_app.evaluation.fit import Fitted, fit_settings, labels_of
from jomed_app.evaluation.fold_seeds import repeat_baselines
from jomed_app.evaluation.readings import load_raw, save_raw
from jomed_app.evaluation.report import build_report, write_report
from jomed_app.evaluation.systems import RawCase, ScoringSettings
from jomed_app.masking import mask_annotations
from jomed_app.models.loading import merge_lora
from jomed_app.models.localizer import Localizer, load_localizer
from jomed_app.models.pixels import Letterbox
from jomed_app.models.reader import Reader
from jomed_app.progress import OnProgress
from jomed_app.training.image_set import ImageSet
from jomed_app.training.loop import no_progress
from jomed_app.training.reader import encode_corpus_tokens
from jomed_app.training.table import ReaderTable, load_reader_table
from jomed_app.training.workspace import Workspace
from jomed_app.types import CorpusKind

logger = logging.getLogger(__name__)

SETTINGS_FILE = "settings.json"
REPEATS_FILE = "fold_seeds.json"


@dataclass(frozen=True, slots=True)
class ReadingKind:
    """One way of reading the folds.

    Attributes:
        name: of its files: `<name>.fold0.json` ..., and, with "raw" as "report", of its reports.
        corpus: candidates and voters: the other folds' real cases, or the embedded index's.
        is_masked: whether annotations in the image are masked first.
        asks_reader: whether the reader says boxes of its own too, for comparison.
    """

    name: str
    corpus: CorpusKind
    is_masked: bool = False
    asks_reader: bool = False

    @property
    def index(self) -> str:
        """What a report calls the corpus."""
        return "other-folds" if self.corpus == "real" else "simulated-index"


PLAIN = ReadingKind("raw", "real", asks_reader=True)
MASKED = ReadingKind("raw.masked", "real", is_masked=True)
INDEXED = ReadingKind("raw.index", "simulated")
KINDS = (PLAIN, MASKED, INDEXED)
PROFILES: dict[CorpusKind, ReadingKind] = {"real": PLAIN, "simulated": INDEXED}
COMPARISONS = (
    ("rag", "backbone"),
    ("rag", "knn"),
    ("rag", "no_retrieval"),
    ("rag", "reader"),
    ("reader", "no_retrieval"),
    ("reader", "random_candidates"),
)


def cross_validate(
    config: JomedConfig, out: Path, *, on_progress: OnProgress = no_progress
) -> dict[CorpusKind, Fitted]:
    """Read all folds in every way, fit, write `cv/` in the run's folder.

    A fold that was read before is not read again. Writes for each of `KINDS` a report over the
    task's labels and one of the positive label against the rest (`.binary`); `settings.json`, the
    profile of each kind of corpus, fitted on all folds, for the bundle; and the raw readings. In
    the reports each fold is concluded with settings fitted on the other folds.
    """
    work = Workspace(out, config)
    folder = out / "cv"
    read, table, view = _read_all(work, on_progress)
    fitted: dict[CorpusKind, Fitted] = {}
    scoring: dict[CorpusKind, list[ScoringSettings]] = {}
    for corpus, kind in PROFILES.items():
        raw = read[kind.name]
        fitted[corpus] = _fit(raw, view)
        scoring[corpus] = [
            _fit({row: case for row, case in raw.items() if row not in held_out}, view).scoring
            for held_out in (
                set(table.held_out_rows(fold).tolist()) for fold in range(config.train_reader.folds)
            )
        ]
    profiles = {
        corpus: each.to_dict() | {"measured_on": _measured_on(table, corpus)}
        for corpus, each in fitted.items()
    }
    (folder / SETTINGS_FILE).write_text(json.dumps(profiles, indent=1), encoding="utf-8")
    own = fitted["real"].scoring
    repeats = repeat_baselines(
        table,
        view,
        work.task,
        num_folds=config.train_reader.folds,
        num_neighbors=own.alone_neighbors,
        temperature=own.alone_temperature,
    )
    (folder / REPEATS_FILE).write_text(json.dumps(repeats, indent=1), encoding="utf-8")
    for kind in KINDS:
        _write_reports(work, kind, read[kind.name], scoring[kind.corpus], table, view)
    return fitted


def _fit(raw: Mapping[int, RawCase], view: TableView) -> Fitted:
    return fit_settings([raw[row] for row in sorted(raw)], labels_of(raw, view.labels))


def _measured_on(table: ReaderTable, corpus: CorpusKind) -> str:
    source = table.records[int(table.real[0])].provenance.get("source", "real cases")
    beside = (
        "real cases of the same collection"
        if corpus == "real"
        else f"{len(table.index)} simulated cases"
    )
    return f"{len(table.real)} images of {source}, with {beside} as known cases"


def _write_reports(
    work: Workspace,
    kind: ReadingKind,
    raw: Mapping[int, RawCase],
    scoring: Sequence[ScoringSettings],
    table: ReaderTable,
    view: TableView,
) -> None:
    task, settings = work.task, work.config.train_reader
    empty = [task.labels.index(name) for name in task.empty_labels]
    rest = [place for place in range(len(task.labels)) if place != task.positive_index]
    name = kind.name.replace("raw", "report")
    for suffix, merge, labels in (
        ("", None, list(task.labels)),
        (".binary", [rest, [task.positive_index]], ["other", task.positive_label]),
    ):
        cases = [
            case
            for fold, each in enumerate(scoring)
            for case in to_case_scores(
                table,
                view,
                _of_fold(raw, table, fold),
                each,
                empty=empty,
                merge=merge,
                has_boxes=task.has_boxes,
            )
        ]
        report = build_report(
            cases,
            task=f"{task.name}{suffix.replace('.', '-')}",
            split=f"{settings.folds}-fold" + ("-masked" if kind.is_masked else ""),
            labels=labels,
            positive_label=task.positive_label,
            bundle=work.root.name,
            index=kind.index,
            seed=settings.seed,
            comparisons=COMPARISONS,
        )
        write_report(report, work.root / "cv" / f"{name}{suffix}.json")


def _read_all(
    work: Workspace, on_progress: OnProgress
) -> tuple[dict[str, dict[int, RawCase]], ReaderTable, TableView]:
    """Kind of reading -> row -> what was read; the case table; arrays over it."""
    work.simulate("index")
    reader, _ = work.trainable_reader()
    table = load_reader_table(work, reader, with_index=True)
    view = view_of(table, work.task, int(reader.model.config.vision_config.position_dim))
    tokens = {False: table.tokens[table.real], True: _masked_tokens(reader, table)}
    read: dict[str, dict[int, RawCase]] = {kind.name: {} for kind in KINDS}
    total = len(KINDS) * len(table.real)
    done = 0
    for fold in range(work.config.train_reader.folds):
        files = {kind: work.root / "cv" / f"{kind.name}.fold{fold}.json" for kind in KINDS}
        if not all(file.is_file() for file in files.values()):
            reader, adapted = work.trainable_reader(work.reader(f"fold{fold}"))
            merge_lora(adapted)
            reader.model.to(torch.bfloat16)  # type: ignore[arg-type]
        localizer = load_localizer(work.localizer(f"fold{fold}"))
        for kind, file in files.items():
            queries = tokens[kind.is_masked]
            if not file.is_file():
                found = read_fold(
                    reader,
                    work,
                    table,
                    fold,
                    queries,
                    corpus=table.index if kind.corpus == "simulated" else None,
                    localizer=None if kind.asks_reader else localizer,
                    on_progress=_after(on_progress, done, total),
                )
                save_raw(file, found)
            logger.info("fold %d, %s: read", fold, kind.name)
            read[kind.name] |= _with_located(load_raw(file), localizer, table, queries)
            done += len(table.held_out_rows(fold))
            on_progress(done, total)
    return read, table, view


def _after(on_progress: OnProgress, start: int, whole: int) -> OnProgress:
    """Report one part of a longer piece of work."""

    def report(done: int, total: int, **figures: float) -> None:
        on_progress(start + done, whole, **figures)

    return report


def _of_fold(raw: Mapping[int, RawCase], table: ReaderTable, fold: int) -> dict[int, RawCase]:
    rows = set(table.held_out_rows(fold).tolist())
    return {row: case for row, case in raw.items() if row in rows}


def _with_located(
    raw: dict[int, RawCase], localizer: Localizer, table: ReaderTable, queries: torch.Tensor
) -> dict[int, RawCase]:
    """Add what the fold's localizer says of each case."""
    rows = sorted(raw)
    said = localizer.locate(queries[torch.tensor(rows) - int(table.real[0])])
    found = {}
    for row, each in zip(rows, said, strict=True):
        record = table.records[row]
        place = Letterbox(record.rows, record.columns, table.images.squares[row].shape[0])
        box = place.to_image(each.box)
        found[row] = replace(raw[row], located=(box,) if box else (), presence=each.presence)
    return found


def _masked_tokens(reader: Reader, table: ReaderTable) -> torch.Tensor:
    squares = [mask_annotations(table.images.squares[int(row)]) for row in table.real]
    records = [table.records[int(row)] for row in table.real]
    boxes = table.images.boxes[torch.from_numpy(np.asarray(table.real))]
    return encode_corpus_tokens(reader, ImageSet(records, squares, boxes))
