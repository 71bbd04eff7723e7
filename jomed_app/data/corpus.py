"""Corpora on disk -> case records: folders of our own schema, and the public sets we can read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jomed_app.data.formats.coco import COCO_FILE, read_coco
from jomed_app.data.formats.vindr import VINDR_FILE, read_vindr
from jomed_app.data.records import RECORDS_FILE, CaseRecord, read_records
from jomed_app.data.sources.busi import read_busi
from jomed_app.data.sources.ham10000 import read_ham10000
from jomed_app.data.sources.kvasir import POLYP, read_kvasir
from jomed_app.data.sources.medpix import read_medpix
from jomed_app.data.sources.retina import read_retina
from jomed_app.data.sources.slake import read_slake
from jomed_app.data.sources.slake_disease import SLAKE_DISEASE, read_slake_disease
from jomed_app.data.sources.vqa_rad import read_vqa_rad
from jomed_app.data.tasks import Task
from jomed_app.errors import RecordError

# A file of boxed data of a user's own -> what reads it.
BOXED_READERS: dict[str, Callable[[Path, Task], tuple[Path, list[CaseRecord]]]] = {
    COCO_FILE: read_coco,
    VINDR_FILE: read_vindr,
}
# A public set, by the name that a task calls it -> what reads it.
READERS: dict[str, Callable[[Path], tuple[Path, list[CaseRecord]]]] = {
    "breast": read_busi,
    "derma": read_ham10000,
    "medpix": read_medpix,
    "retina": read_retina,
    POLYP: read_kvasir,
    SLAKE_DISEASE: read_slake_disease,
    "slake": read_slake,
    "vqa_rad": read_vqa_rad,
}


def load_corpus(
    task: Task, data: Path, splits: Sequence[str] = ()
) -> tuple[Path, list[CaseRecord]]:
    """Load the cases of a task from a data root or from a folder of records.

    Args:
        task: its labels must cover the cases' labels; where it names facts to keep, a label field
            or label names, cases that do not fit are left out instead.
        data: a folder with `records.jsonl`, with boxed data of a user's own (`annotations.json`
            or `annotations.csv`, see docs/boxed_data.md), or a root that holds the public set of
            this task; looked for in this order.
        splits: splits to keep; empty keeps all.

    Returns:
        The folder that the records' image paths start from, and the records.

    Raises:
        RecordError: if there is nothing to read, a split is empty or a label is not the task's.
    """
    if (data / RECORDS_FILE).is_file():
        folder, records = data, read_records(data)
    elif boxed := [name for name in BOXED_READERS if (data / name).is_file()]:
        if len(boxed) > 1:
            raise RecordError(f"a data folder must hold one of {boxed}, found both; remove one")
        folder, records = BOXED_READERS[boxed[0]](data, task)
    elif task.corpus_name in READERS:
        folder, records = READERS[task.corpus_name](data)
    else:
        raise RecordError(
            f"a data folder must hold {RECORDS_FILE}, {' or '.join(BOXED_READERS)} or, for the "
            f"sets {sorted(READERS)}, the public set; found none for task '{task.name}'"
        )
    records = _labeled(task, records)
    kept = [record for record in records if not splits or record.split in splits]
    if not kept:
        found = sorted({record.split for record in records})
        raise RecordError(f"no case of split {list(splits)}; the corpus has {found}")
    for record in kept:
        if not task.is_open and record.label not in task.labels:
            raise RecordError(
                f"labels must be among {list(task.labels)}, case '{record.case_id}' has "
                f"'{record.label}'"
            )
    return folder, kept


def _labeled(task: Task, records: list[CaseRecord]) -> list[CaseRecord]:
    """The cases that take part, under the task's own labels."""
    fitting = [
        record
        for record in records
        if all(record.provenance.get(name) == value for name, value in task.keep.items())
    ]
    if task.is_open or not (task.label_field or task.label_names):
        return fitting
    found = []
    for record in fitting:
        said = record.provenance.get(task.label_field) if task.label_field else record.label
        label = task.label_names.get(said or "", said)
        if label in task.labels:
            found.append(record.model_copy(update={"label": label}))
    return found


def corpus_hash(records: Sequence[CaseRecord]) -> str:
    """Return a hash of the cases, whatever their order."""
    lines = sorted(record.model_dump_json() for record in records)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def assign_folds(records: Sequence[CaseRecord], num_folds: int, seed: int) -> NDArray[np.int64]:
    """Split into folds so that no group is torn and every fold has each label's share.

    Args:
        records: cases with a group each (an empty group stands alone).
        num_folds: 1 holds out the corpus's own split `val` as fold 0.
        seed: of the shuffle.

    Returns:
        (N,) fold of every case; -1 for a case that is never held out.
    """
    if num_folds == 1:
        return np.array([0 if record.split == "val" else -1 for record in records], np.int64)
    from sklearn.model_selection import StratifiedGroupKFold

    folds = np.zeros(len(records), dtype=np.int64)
    labels = [record.label for record in records]
    groups = [record.group or record.case_id for record in records]
    splitter = StratifiedGroupKFold(n_splits=num_folds, shuffle=True, random_state=seed)
    for fold, (_, held_out) in enumerate(splitter.split(np.zeros(len(records)), labels, groups)):
        folds[held_out] = fold
    return folds
