"""Fit how a collection's evidence is weighed and calibrated, and say so on groups held out.

The fit is the one that a bundle's own figures are made with (`evaluation/fit`); only the cases are
others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from jomed_app.data.corpus import assign_folds
from jomed_app.data.tasks import Task
from jomed_app.errors import ConfigError
from jomed_app.evaluation.collection.read import ReadCollection
from jomed_app.evaluation.fit.boxes import with_box_score
from jomed_app.evaluation.fit.settings import Fitted, fit_settings
from jomed_app.evaluation.held_out import HeldOutCase
from jomed_app.evaluation.report.scores import CaseScores
from jomed_app.inference.calibration.cutoffs import fit_cutoffs
from jomed_app.inference.calibration.profile import CorpusProfile, Profile
from jomed_app.progress import OnProgress

FOLDS = 5
LEAST_CASES = (
    100  # ours: 20 held-out cases a fold; of fewer an error of calibration is mostly noise
)
LEAST_GROUPS = 50
LEAST_OF_LABEL = 10  # ours: two in every fold


def refuse_few(read: ReadCollection, labels: Sequence[str], what: str) -> None:
    """Refuse a collection that is too small to fit anything to.

    Args:
        read: its cases.
        labels: of the task.
        what: of which collection, in an error.

    Raises:
        ConfigError: below `LEAST_CASES`, `LEAST_GROUPS` or `LEAST_OF_LABEL`, or with one label.
    """
    found = Counter(labels[place] for place in read.labels.tolist())
    rare = sorted(name for name, times in found.items() if times < LEAST_OF_LABEL)
    groups = len(set(read.groups))
    if len(read.records) >= LEAST_CASES and groups >= LEAST_GROUPS and not rare and len(found) > 1:
        return
    counts = ", ".join(f"{times} {name}" for name, times in sorted(found.items()))
    raise ConfigError(
        f"a profile is fitted to at least {LEAST_CASES} cases of {LEAST_GROUPS} patients or groups "
        f"and {LEAST_OF_LABEL} of each label, two labels or more; {what} has {len(read.records)} "
        f"cases of {groups} groups ({counts}); add cases"
    )


def fit_collection(read: ReadCollection, base: Profile, task: Task, *, joint: bool) -> Fitted:
    """Fit settings and calibration to all cases that were read.

    Args:
        read: the cases.
        base: what was concluded with before; what is not fitted here stays.
        task: its empty labels come without a box.
        joint: of the trained search.
    """
    every = list(range(len(read.records)))
    return _fit(read, base, task, every, joint=joint)


def fit_others(
    read: ReadCollection,
    base: Profile,
    task: Task,
    *,
    joint: bool,
    on_progress: OnProgress | None = None,
) -> list[Fitted]:
    """For every case a profile that was fitted without it and its group.

    Args:
        read: N cases.
        base: see `fit_collection`.
        task: see `fit_collection`.
        joint: see `fit_collection`.
        on_progress: called after every part.

    Returns:
        N profiles, one of `FOLDS` each.
    """
    grouped = [
        record.model_copy(update={"group": group})
        for record, group in zip(read.records, read.groups, strict=True)
    ]
    folds = assign_folds(grouped, FOLDS, seed=0)
    fitted = []
    for fold in range(FOLDS):
        others = np.flatnonzero(folds != fold).tolist()
        fitted.append(_fit(read, base, task, others, joint=joint))
        if on_progress is not None:
            on_progress(fold + 1, FOLDS)
    return [fitted[int(fold)] for fold in folds]


def with_cutoffs(fitted: Fitted, cases: Sequence[CaseScores], system: str, task: Task) -> Fitted:
    """Add the operating points that held-out answers show.

    Args:
        fitted: to all cases.
        cases: N, each concluded with a profile that was fitted without it and its group.
        system: whose answers the page shows.
        task: its positive label is what a point is about.
    """
    positive = task.labels.index(task.positive_label or task.labels[-1])
    points = fit_cutoffs(
        [case.systems[system].probabilities[positive] for case in cases],
        [case.label == positive for case in cases],
    )
    calibration = fitted.profile.calibration.model_copy(update={"cutoffs": points})
    profile = fitted.profile.model_copy(update={"calibration": calibration})
    return replace(fitted, profile=profile)


def profile_of(standard: Fitted, joint: Fitted | None, measured_on: str) -> CorpusProfile:
    """Both searches' profiles as one, with the words that the page says of them.

    Args:
        standard: of the search by similarity alone.
        joint: of the trained one, where there is one.
        measured_on: the cases, in words.
    """
    said = {"measured_on": measured_on}
    plain = standard.profile.model_copy(update=said)
    if joint is None:
        return CorpusProfile.model_validate(plain.model_dump())
    trained = joint.profile.model_copy(update=said)
    return CorpusProfile.model_validate(trained.model_dump() | {"standard": plain.model_dump()})


def _fit(
    read: ReadCollection, base: Profile, task: Task, places: Sequence[int], *, joint: bool
) -> Fitted:
    every = read.joint if joint else read.standard
    cases: list[HeldOutCase] = [every[place] for place in places]
    fitted = fit_settings(cases, read.labels[list(places)])
    kept = base.settings
    profile = fitted.profile.with_settings(
        box_threshold=kept.box_threshold,
        k_per_head=kept.k_per_head,
        domain_probability=kept.domain_probability,
    )
    known = base.calibration.boxes.model_copy(update={"operating_points": ()})
    calibration = profile.calibration.model_copy(update={"boxes": known})
    fitted = replace(fitted, profile=profile.model_copy(update={"calibration": calibration}))
    if not read.is_original:
        return fitted
    boxes = read.boxes
    empty = [task.labels.index(name) for name in task.empty_labels]
    return with_box_score(fitted, cases, [boxes[place] for place in places], empty)
