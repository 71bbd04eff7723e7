"""The real cases of a run, and which of their labels its weights may learn.

The rest is the grown index: cases that were proven after the weights were trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jomed_app.config.data import DataConfig
from jomed_app.data.corpus import load_corpus
from jomed_app.data.licences import without_noncommercial
from jomed_app.data.records import CaseRecord
from jomed_app.errors import ConfigError
from jomed_app.training.run.named_run import NamedRun
from jomed_app.training.run.workspace import Workspace, groups_of


def load_real(work: Workspace) -> tuple[Path, list[CaseRecord]]:
    """Read the real cases of a run, train and val, as far as their terms allow.

    Raises:
        ConfigError: if `data.noncommercial` is false and leaves none.
        RecordError: as `load_corpus`.
    """
    root = Path(work.config.train_reader.data)
    folder, records = load_corpus(work.task, root, ("train", "val"))
    if work.config.data.noncommercial:
        return folder, records
    if not (kept := without_noncommercial(records)):
        raise ConfigError(
            f"training requires cases whose terms allow it, found none for '{work.task.name}': "
            "all are for non-commercial use; set data.noncommercial or name other cases"
        )
    return folder, kept


def load_teaching(run: NamedRun) -> tuple[Path, list[CaseRecord]]:
    """Folder and records of the cases that teach models which a file names: its share of them.

    Raises:
        ConfigError: if no folder is named.
        RecordError: if it holds no case of that split.
    """
    folder, records = run.cases()
    share = DataConfig(labels_share=run.config.labels_share, labels_seed=run.config.labels_seed)
    labeled = choose_labeled(records, share)
    return folder, [record for record, known in zip(records, labeled, strict=True) if known]


def choose_labeled(records: Sequence[CaseRecord], config: DataConfig) -> NDArray[np.bool_]:
    """Choose the cases whose labels may be learned: whole groups, a share of each class's.

    A group belongs to the class of its first case. Every class keeps one group at least, unless
    the share is 0; a smaller share is part of every larger one of the same seed.

    Args:
        records: N real cases.
        config: share, seed, and the class that is left out.

    Returns:
        (N,) True where a label may be learned.

    Raises:
        ConfigError: if the class that is left out is none of theirs, or leaves fewer than two.
    """
    if not config.labels_share:
        return np.zeros(len(records), dtype=np.bool_)
    names, label_of = groups_of(records), dict[str, str]()
    for name, record in zip(names, records, strict=True):
        label_of.setdefault(name, record.label)
    classes = sorted({record.label for record in records})
    if config.left_out and (config.left_out not in classes or len(classes) < 3):
        raise ConfigError(
            f"data.left_out must be one of three classes or more, found '{config.left_out}' among "
            f"{classes}; name one of them"
        )
    rng, kept = np.random.default_rng([config.labels_seed, 37]), set[str]()
    for label in classes:
        members = sorted(name for name, each in label_of.items() if each == label)
        count = max(1, round(config.labels_share * len(members)))
        kept |= {members[place] for place in rng.permutation(len(members))[:count]}
    return np.array(
        [
            name in kept and record.label != config.left_out
            for name, record in zip(names, records, strict=True)
        ],
        dtype=np.bool_,
    )


def hidden_ids(work: Workspace) -> frozenset[str]:
    """Ids of the run's real cases whose labels and boxes no stage may learn."""
    if not work.config.train_reader.data:
        return frozenset()
    _, records = load_real(work)
    labeled = choose_labeled(records, work.config.data)
    return frozenset(
        record.case_id for record, known in zip(records, labeled, strict=True) if not known
    )
