"""The stage after training: read every fold, fit the settings, write the reports."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from jomed_app.config.load import JomedConfig
from jomed_app.evaluation.fit.boxes import with_box_score
from jomed_app.evaluation.fit.settings import Fitted, fit_settings, labels_of
from jomed_app.evaluation.folds.readings import (
    FoldReadings,
    ReadingKind,
    kinds_of,
    profiles_of,
    read_folds,
)
from jomed_app.evaluation.held_out import HeldOutCase
from jomed_app.evaluation.report.build import build_report, write_report
from jomed_app.evaluation.report.predictions import write_predictions
from jomed_app.evaluation.report.scores import CaseScores, SystemScores, with_shared_systems
from jomed_app.evaluation.systems import (
    ADVERSARIAL,
    JOINT_NAMES,
    VOTE_ALONE,
    conclude_systems,
)
from jomed_app.inference.calibration.profile import Profile
from jomed_app.progress import OnProgress
from jomed_app.storage.durable import write_file
from jomed_app.training.cases.table import ReaderTable
from jomed_app.training.run.loop import no_progress
from jomed_app.training.run.workspace import Workspace
from jomed_app.types import CorpusKind

logger = logging.getLogger(__name__)

SETTINGS_FILE = "settings.json"
COMPARISONS = (
    ("rag", "backbone"),
    ("rag", "knn"),
    ("rag", "no_retrieval"),
    ("rag", "reader"),
    ("reader", "no_retrieval"),
    ("reader", "random_candidates"),
    ("reader", ADVERSARIAL),
)
JOINT_COMPARISONS = (
    ("joint", "rag"),
    ("joint_reader", "reader"),
    ("joint", "backbone"),
    ("joint", "knn"),
    ("joint", "no_retrieval"),
)


def cross_validate(
    config: JomedConfig, out: Path, *, thorough: bool = True, on_progress: OnProgress = no_progress
) -> dict[CorpusKind, Fitted]:
    """Read all folds, fit, write `cv/` in the run's folder.

    The thorough way adds to what a bundle needs what only reports show: masked images, misleading
    candidates, boxes that the reader says, every seed of the trained heads.

    A fold that was read before is not read again; training the query heads forgets what was read
    with the older ones. Writes for each kind of reading a report over the task's labels and one of
    the positive label against the rest (`.binary`), with the trained heads' systems where there are
    any; of the thorough reading a report for every further seed of the heads (`.joint1` ...);
    `settings.json`, the profile of each kind of corpus, fitted on all folds, for the bundle; and
    the raw readings. In the reports each fold (or part of a single held-out split) is concluded
    with settings fitted on the others. A system that a reading does not hold
    (`adversarial_candidates` in all but the thorough one) is left out.

    Args:
        config: of the run.
        out: its folder.
        thorough: whether all is read that reports can show.
        on_progress: called after every case.

    Returns:
        What was fitted beside the frozen retriever, by kind of corpus.
    """
    work = Workspace(out, config)
    folder = out / "cv"
    kinds = kinds_of(work.task, thorough=thorough)
    profiled = profiles_of(kinds)
    read = read_folds(work, on_progress, kinds)
    fitted = {corpus: _fit(read.raw[kind.name], read) for corpus, kind in profiled.items()}
    profiles = {}
    for corpus, each in fitted.items():
        measured = {"measured_on": _measured_on(read.table, corpus)}
        profiles[corpus] = each.to_dict() | measured
        if (name := profiled[corpus].joint(0)) in read.raw:
            trained = _fit(read.raw[name], read).to_dict() | measured
            profiles[corpus] = trained | {"standard": profiles[corpus]}
    write_file(folder / SETTINGS_FILE, json.dumps(profiles, indent=1))
    others = {corpus: fit_others(read, kind.name) for corpus, kind in profiled.items()}
    for kind in kinds:
        standard = others[kind.corpus]
        _write_reports(work, kind, read, standard, seed=0)
        for seed in range(1, config.train_retriever.num_seeds):
            if kind.joint(seed) in read.raw:
                _write_reports(work, kind, read, standard, seed=seed)
    return fitted


def _fit(every: Mapping[int, HeldOutCase], read: FoldReadings) -> Fitted:
    """Fit on the cases whose labels may be learned; where there are none, nothing is fitted."""
    rows = np.array(sorted(every), dtype=np.int64)
    raw = {int(row): every[int(row)] for row in rows[read.table.is_labeled(rows)]}
    if not raw:
        return Fitted(Profile(), VOTE_ALONE, [])
    cases = [raw[row] for row in sorted(raw)]
    fitted = fit_settings(cases, labels_of(raw, read.view.labels))
    boxes = [read.table.records[row].box_list for row in sorted(raw)]
    return with_box_score(fitted, cases, boxes, read.empty)


def _measured_on(table: ReaderTable, corpus: CorpusKind) -> str:
    source = table.records[int(table.real[0])].provenance.get("source", "real cases")
    beside = (
        "real cases of the same collection"
        if corpus == "real"
        else f"{len(table.index)} simulated cases"
    )
    count = int(table.is_labeled(table.held_out).sum())
    return f"{count} images of {source}, with {beside} as known cases" if count else ""


def fit_others(read: FoldReadings, name: str) -> list[Fitted]:
    """Profiles for every part of the reading of that name, fitted on the other parts."""
    return [_fit(read.of_others(name, part), read) for part in range(len(read.parts))]


def conclude_folds(
    work: Workspace,
    kind: ReadingKind,
    read: FoldReadings,
    standard: Sequence[Fitted],
    trained: Sequence[Fitted] = (),
    *,
    seed: int = 0,
    merge: Sequence[Sequence[int]] | None = None,
) -> list[CaseScores]:
    """Conclude the held-out cases by every system, each part with a profile of its own.

    Args:
        work: the run.
        kind: how the cases were read.
        read: holds that reading.
        standard: the frozen retriever's profiles for every part (`fit_others`).
        trained: the same of the trained heads; without, their systems are left out.
        seed: of those heads.
        merge: groups of label indexes that become one label each, in order (the two-class
            question).
    """
    cases = []
    for part, fitted in enumerate(standard):
        joint = read.of_part(kind.joint(seed), part) if trained else {}
        for row, case in sorted(read.of_part(kind.name, part).items()):
            systems = dict(_conclude(case, fitted, read, merge))
            if trained:
                answers = _conclude(joint[row], trained[part], read, merge)
                systems |= {name: answers[own] for own, name in JOINT_NAMES.items()}
            record, label = read.table.records[row], int(read.view.labels[row])
            if merge is not None:
                label = next(place for place, members in enumerate(merge) if label in members)
            cases.append(
                CaseScores(
                    case_id=record.case_id,
                    group=str(read.view.groups[row]),
                    label=label,
                    systems=systems,
                    boxes=tuple(record.box_list),
                )
            )
    return with_shared_systems(cases)


def _conclude(
    case: HeldOutCase,
    fitted: Fitted,
    read: FoldReadings,
    merge: Sequence[Sequence[int]] | None,
) -> Mapping[str, SystemScores]:
    """What every system says of a case; its box is scored by the task's own labels.

    A set of possible labels was fitted to the task's own, so with merged labels no case abstains.
    """
    profile, scored = fitted.profile, case.with_box_score(fitted.profile, read.empty)
    if merge is not None:
        scored = scored.merged(merge)
        calibration = profile.calibration.model_copy(update={"conformal": None})
        profile = profile.model_copy(update={"calibration": calibration})
    return conclude_systems(scored, profile, vote_alone=fitted.vote_alone)


def _write_reports(
    work: Workspace,
    kind: ReadingKind,
    read: FoldReadings,
    standard: Sequence[Fitted],
    *,
    seed: int,
) -> None:
    task, settings = work.task, work.config.train_reader
    rest = [place for place in range(len(task.labels)) if place != task.positive_index]
    name = Workspace.joint_name(kind.report, seed) if seed else kind.report
    has_heads = kind.joint(seed) in read.raw
    trained = fit_others(read, kind.joint(seed)) if has_heads else []
    for suffix, merge, labels in (
        ("", None, list(task.labels)),
        (".binary", [rest, [task.positive_index]], ["other", task.positive_label]),
    ):
        cases = conclude_folds(work, kind, read, standard, trained, seed=seed, merge=merge)
        known = set(cases[0].systems)
        report = build_report(
            cases,
            task=f"{task.name}{suffix.replace('.', '-')}",
            split=("val" if settings.folds == 1 else f"{settings.folds}-fold")
            + ("-masked" if kind.is_masked else ""),
            labels=labels,
            positive_label=task.positive_label,
            bundle=work.root.name,
            index=kind.index,
            seed=settings.seed + seed,
            comparisons=[
                pair
                for pair in COMPARISONS + (JOINT_COMPARISONS if has_heads else ())
                if known.issuperset(pair)
            ],
        )
        path = work.root / "cv" / f"{name}{suffix}.json"
        write_report(report, path)
        write_predictions(path, cases, labels)
