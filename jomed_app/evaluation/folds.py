"""The stage after training: read every fold, fit the settings, write the reports."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
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
from jomed_app.evaluation.readings import load_raw, save_raw
from jomed_app.evaluation.report import build_report, write_report
from jomed_app.evaluation.systems import RawCase
from jomed_app.masking import mask_annotations
from jomed_app.models.loading import merge_lora
from jomed_app.models.localizer import Localizer, load_localizer
from jomed_app.models.pixels import Letterbox
from jomed_app.models.reader import Reader
from jomed_app.progress import OnProgress
from jomed_app.training.align import ImageSet
from jomed_app.training.loop import no_progress
from jomed_app.training.reader import encode_corpus_tokens
from jomed_app.training.table import ReaderTable, load_reader_table
from jomed_app.training.workspace import Workspace

logger = logging.getLogger(__name__)

SETTINGS_FILE = "settings.json"
MASKED = "raw.masked"
QUERIES = ("raw", MASKED)
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
) -> Fitted:
    """Read all folds twice (as they are, annotations masked), fit, write `cv/` in the run's folder.

    A fold that was read before is not read again. Writes `report.json` (the task's labels),
    `report.binary.json` (positive label against the rest), their `.masked` twins, `settings.json`
    (fitted on all folds, for the bundle) and the raw readings. In the reports each fold is
    concluded with settings fitted on the other folds.
    """
    work = Workspace(out, config)
    folder = out / "cv"
    plain, masked, table, view = _read_all(work, on_progress)
    fitted = fit_settings([plain[row] for row in sorted(plain)], labels_of(plain, view.labels))
    (folder / SETTINGS_FILE).write_text(json.dumps(fitted.to_dict(), indent=1), encoding="utf-8")
    scoring = []
    for fold in range(config.train_reader.folds):
        held_out = _of_fold(plain, table, fold)
        others = {row: case for row, case in plain.items() if row not in held_out}
        kept = [others[row] for row in sorted(others)]
        scoring.append(fit_settings(kept, labels_of(others, view.labels)).scoring)
    task = work.task
    empty = [task.labels.index(name) for name in task.empty_labels]
    rest = [place for place in range(len(task.labels)) if place != task.positive_index]
    merged = [rest, [task.positive_index]]
    for name, raw in (("report", plain), ("report.masked", masked)):
        for suffix, merge, labels in (
            ("", None, list(task.labels)),
            (".binary", merged, ["other", task.positive_label]),
        ):
            cases = [
                case
                for fold, settings in enumerate(scoring)
                for case in to_case_scores(
                    table, view, _of_fold(raw, table, fold), settings, empty=empty, merge=merge
                )
            ]
            report = build_report(
                cases,
                task=f"{task.name}{suffix.replace('.', '-')}",
                split=f"{config.train_reader.folds}-fold" + ("-masked" if "masked" in name else ""),
                labels=labels,
                positive_label=task.positive_label,
                bundle=out.name,
                index="other-folds",
                seed=config.train_reader.seed,
                comparisons=COMPARISONS,
            )
            write_report(report, folder / f"{name}{suffix}.json")
    return fitted


def _read_all(
    work: Workspace, on_progress: OnProgress
) -> tuple[dict[int, RawCase], dict[int, RawCase], ReaderTable, TableView]:
    plain: dict[int, RawCase] = {}
    masked: dict[int, RawCase] = {}
    reader, _ = work.trainable_reader()
    table = load_reader_table(work, reader)
    view = view_of(table, work.task, int(reader.model.config.vision_config.position_dim))
    tokens = table.tokens[table.real]
    hidden = _masked_tokens(reader, table)
    total = 2 * len(table.real)
    for fold in range(work.config.train_reader.folds):
        files = {name: work.root / "cv" / f"{name}.fold{fold}.json" for name in QUERIES}
        if not all(file.is_file() for file in files.values()):
            reader, adapted = work.trainable_reader(work.reader(f"fold{fold}"))
            merge_lora(adapted)
            reader.model.to(torch.bfloat16)  # type: ignore[arg-type]
        localizer = load_localizer(work.localizer(f"fold{fold}"))
        for (name, file), queries, found in zip(
            files.items(), (tokens, hidden), (plain, masked), strict=True
        ):
            if not file.is_file():
                read = read_fold(
                    reader,
                    work,
                    table,
                    fold,
                    queries,
                    localizer=localizer if name == MASKED else None,
                    on_progress=_after(on_progress, len(plain) + len(masked), total),
                )
                save_raw(file, read)
            logger.info("fold %d, %s: read", fold, name)
            found |= _with_located(load_raw(file), localizer, table, queries)
            on_progress(len(plain) + len(masked), total)
    return plain, masked, table, view


def _after(on_progress: OnProgress, start: int, whole: int) -> OnProgress:
    """Report one part of a longer piece of work."""

    def report(done: int, total: int, **figures: float) -> None:
        on_progress(start + done, whole, **figures)

    return report


def _of_fold(raw: dict[int, RawCase], table: ReaderTable, fold: int) -> dict[int, RawCase]:
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
