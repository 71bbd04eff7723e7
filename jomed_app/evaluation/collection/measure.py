"""`index measure`, `index calibrate`: what a collection brings, said on its own cases."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, Field

from jomed_app.data.corpus import load_corpus
from jomed_app.data.tasks import load_task
from jomed_app.errors import ConfigError
from jomed_app.evaluation.collection.fit import (
    fit_collection,
    fit_others,
    profile_of,
    refuse_few,
    with_cutoffs,
)
from jomed_app.evaluation.collection.groups import Groups, group_collection
from jomed_app.evaluation.collection.read import (
    ReadCollection,
    choose_cases,
    read_collection,
    source_of,
)
from jomed_app.evaluation.fit.settings import Fitted
from jomed_app.evaluation.growth import curve_point, hidden_at
from jomed_app.evaluation.held_out import HeldOutCase
from jomed_app.evaluation.report.build import build_report
from jomed_app.evaluation.report.schema import EvaluationReport
from jomed_app.evaluation.report.scores import CaseScores, SystemScores, with_shared_systems
from jomed_app.evaluation.split_reader import SplitReader
from jomed_app.evaluation.systems import JOINT_NAMES, VOTE_ALONE, conclude_systems
from jomed_app.inference.calibration.profile import CorpusProfile
from jomed_app.inference.index_labels import widen_task
from jomed_app.inference.load import load_bundle
from jomed_app.progress import OnProgress
from jomed_app.retrieval.index import CandidateIndex
from jomed_app.retrieval.manifest import keep_profile
from jomed_app.types import Frozen

MOST_CASES = 400  # ours: about ten minutes on two cores
GROWN_SHARES = (0.25, 0.5)
MEASURED = ("image_alone", "knn", "no_retrieval", "reader", "rag")


class TwinsFound(Frozen):
    """Near-duplicates in a collection: cases that have one.

    Attributes:
        by_pixels: by thumbnails; by_tower: by the bundle's own tower.
        unnamed: of those, cases that the collection did not put into one group with theirs.
        groups: groups after all were joined.
    """

    by_pixels: int
    by_tower: int
    unnamed: int
    groups: int


class CollectionReport(Frozen):
    """What a collection's cases bring, schema `jomed.collection/1`.

    Attributes:
        cases: of the index; measured: of them read as queries.
        queries: the cases' own files, or thumbnails of the index.
        twins: see there.
        app: every system as the app answers now, each case beside those of other groups; its
            `curve` is the learning curve.
        fitted: the same with settings and calibration fitted to other groups of this collection;
            None where it is too small for that, `too_small` says why.
        too_small: why nothing was fitted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_: Literal["jomed.collection/1"] = Field(default="jomed.collection/1", alias="schema")
    cases: int
    measured: int
    queries: Literal["originals", "thumbnails"]
    twins: TwinsFound
    app: EvaluationReport
    fitted: EvaluationReport | None = None
    too_small: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """An index with the models that read it, its cases grouped."""

    reader: SplitReader
    groups: Groups
    folder: Path | None

    @property
    def index(self) -> CandidateIndex:
        """The collection."""
        return self.reader.index


def open_collection(
    index: Path, bundle: Path, *, task_name: str = "", data: Path | None = None
) -> Opened:
    """Load what reads a collection.

    Args:
        index: folder.
        bundle: folder, or TOML file that names models.
        task_name: of the index's cases; the bundle's own where empty.
        data: what was indexed, where queries are to be the cases' own files.

    Raises:
        ConfigError: if the cases' labels are not the task's.
        JomedError: if bundle, index or data need mending.
    """
    parts = load_bundle(bundle)
    parts.reader.prepare()
    task = load_task(task_name) if task_name else parts.task
    is_own = parts.is_tuned and (task.name, task.labels) == (parts.task.name, parts.task.labels)
    candidates = CandidateIndex.load(index, parts.retriever.fingerprint)
    task = widen_task(parts.task if is_own else task, candidates.labels)
    if task.is_open or (foreign := sorted(set(candidates.labels) - set(task.labels))):
        found = "questions with free answers" if task.is_open else foreign
        raise ConfigError(
            f"a collection is measured by its labels, which must be of the task '{task.name}', "
            f"found {found}; name its task, --task"
        )
    folder = load_corpus(task, data)[0] if data is not None else None
    reader = SplitReader(parts, candidates, task, is_own=is_own)
    return Opened(reader, group_collection(candidates), folder)


def measure_collection(
    opened: Opened, *, most: int = MOST_CASES, on_progress: OnProgress
) -> CollectionReport:
    """Read a collection's cases, each beside those of other groups, and say what they bring.

    Args:
        opened: the collection.
        most: cases read as queries.
        on_progress: called after every case.
    """
    sizes = sorted({round(share * len(opened.index)) for share in GROWN_SHARES} - {0})
    read = _read(opened, most, on_progress, sizes)
    app = _report(opened, read, *_profiles(opened.reader))
    curve = [
        curve_point(size, _grown_report(opened, read, cases)) for size, cases in read.grown.items()
    ]
    app = app.model_copy(update={"curve": (*curve, curve_point(len(opened.index), app))})
    fitted, why = None, ""
    try:
        refuse_few(read, opened.reader.task.labels, f"'{opened.index.name}'")
    except ConfigError as error:
        why = str(error)
    else:
        fitted = _built(opened, _fitted_cases(opened, read, on_progress))
    return _collection_report(opened, read, app, fitted, why)


def calibrate_collection(
    opened: Opened, *, most: int = MOST_CASES, on_progress: OnProgress
) -> CollectionReport:
    """Fit a profile to a collection and keep it in its index, for this bundle and these cases.

    Args:
        opened: the collection, of the bundle's own task.
        most: cases read as queries.
        on_progress: called after every case.

    Returns:
        What the fit brings on groups held out; the profile that is kept was fitted to all.

    Raises:
        ConfigError: if the bundle answers another task, or the collection is too small.
    """
    reader, index = opened.reader, opened.index
    if not reader.answers_task:
        raise ConfigError(
            f"a profile is kept for the bundle's own task '{reader.parts.task.name}', found cases "
            f"of '{reader.task.name}'; name a bundle of that task, --bundle"
        )
    read = _read(opened, most, on_progress, ())
    refuse_few(read, reader.task.labels, f"'{index.name}'")
    app = _report(opened, read, *_profiles(reader))
    cases = _fitted_cases(opened, read, on_progress)
    report = _collection_report(opened, read, app, _built(opened, cases), "")
    kept = _kept_profile(opened, read, cases)
    keep_profile(index.path, reader.parts.fingerprint, kept.to_dict())
    return report


def _kept_profile(
    opened: Opened, read: ReadCollection, cases: Sequence[CaseScores]
) -> CorpusProfile:
    reader = opened.reader
    standard = fit_collection(read, reader.profile(trained=False), reader.task, joint=False)
    standard = with_cutoffs(standard, cases, "rag", reader.task)
    joint = (
        fit_collection(read, reader.profile(trained=True), reader.task, joint=True)
        if read.joint
        else None
    )
    if joint is not None:
        joint = with_cutoffs(joint, cases, JOINT_NAMES["rag"], reader.task)
    return profile_of(standard, joint, measured_words(opened, read))


def measured_words(opened: Opened, read: ReadCollection) -> str:
    """The cases that a profile was fitted to, as the page says it behind "Measured on"."""
    said = f"your {len(read.records)} cases of {opened.index.name}, each beside those of others"
    return said if read.is_original else f"{said}, by their thumbnails"


def _read(
    opened: Opened, most: int, on_progress: OnProgress, sizes: Sequence[int]
) -> ReadCollection:
    hidden = hidden_at(opened.index, sizes) if sizes else {}
    is_original = opened.folder is not None
    return read_collection(
        opened.reader,
        choose_cases(opened.index.ids, most),
        opened.groups,
        source_of(opened.reader, opened.folder),
        is_original=is_original,
        hidden=hidden,
        on_case=on_progress,
    )


def _profiles(reader: SplitReader) -> tuple[Callable[[int], Fitted], Callable[[int], Fitted]]:
    """What the app concludes every case with now, by either search."""
    standard = Fitted(reader.profile(trained=False), VOTE_ALONE, [])
    joint = Fitted(reader.profile(trained=True), VOTE_ALONE, [])
    return (lambda _: standard), (lambda _: joint)


def _fitted_cases(
    opened: Opened, read: ReadCollection, on_progress: OnProgress
) -> list[CaseScores]:
    """Every system on every case, concluded with a profile that was fitted without it."""
    reader = opened.reader
    standard = fit_others(
        read, reader.profile(trained=False), reader.task, joint=False, on_progress=on_progress
    )
    joint = (
        fit_others(
            read, reader.profile(trained=True), reader.task, joint=True, on_progress=on_progress
        )
        if read.joint
        else standard
    )
    return _cases(opened, read, standard.__getitem__, joint.__getitem__)


def _report(
    opened: Opened,
    read: ReadCollection,
    standard: Callable[[int], Fitted],
    joint: Callable[[int], Fitted],
) -> EvaluationReport:
    """What every system brings, each case concluded with the profile that is its own."""
    return _built(opened, _cases(opened, read, standard, joint))


def _cases(
    opened: Opened,
    read: ReadCollection,
    standard: Callable[[int], Fitted],
    joint: Callable[[int], Fitted],
) -> list[CaseScores]:
    """Every system on every case, each concluded with the profile that is its own."""
    task, wanted = opened.reader.task, _systems(opened.reader)
    empty = [task.labels.index(name) for name in task.empty_labels]
    cases = []
    for place, record in enumerate(read.records):
        said = _said(read.standard[place], standard(place), wanted, empty)
        if read.joint:
            answers = _said(read.joint[place], joint(place), tuple(JOINT_NAMES), empty)
            said |= {JOINT_NAMES[name]: scores for name, scores in answers.items()}
        cases.append(
            CaseScores(
                case_id=record.case_id,
                group=read.groups[place],
                label=int(read.labels[place]),
                systems=said,
                boxes=tuple(record.box_list) if read.is_original else (),
            )
        )
    return cases


def _said(
    case: HeldOutCase, fitted: Fitted, systems: Sequence[str], empty: Sequence[int]
) -> dict[str, SystemScores]:
    scored = case.with_box_score(fitted.profile, empty)
    return dict(conclude_systems(scored, fitted.profile, systems, vote_alone=fitted.vote_alone))


def _grown_report(
    opened: Opened, read: ReadCollection, cases: Sequence[HeldOutCase]
) -> EvaluationReport:
    smaller = dataclasses.replace(read, standard=tuple(cases), joint=())
    return _report(opened, smaller, *_profiles(opened.reader))


def _systems(reader: SplitReader) -> tuple[str, ...]:
    return MEASURED if reader.is_own else MEASURED[1:]


def _built(opened: Opened, cases: Sequence[CaseScores]) -> EvaluationReport:
    task = opened.reader.task
    scored = with_shared_systems(list(cases))
    names = set(scored[0].systems)
    return build_report(
        scored,
        task=task.name,
        split="each group beside the others",
        labels=task.labels,
        positive_label=task.positive_label or task.labels[-1],
        bundle=opened.reader.parts.title,
        index=opened.index.name,
        comparisons=[
            (first, name)
            for first in ("rag", "joint")
            for name in ("image_alone", "knn", "no_retrieval", "reader")
            if {first, name} <= names
        ],
    )


def _collection_report(
    opened: Opened,
    read: ReadCollection,
    app: EvaluationReport,
    fitted: EvaluationReport | None,
    why: str,
) -> CollectionReport:
    groups = opened.groups
    return CollectionReport(
        cases=len(opened.index),
        measured=len(read.records),
        queries="originals" if read.is_original else "thumbnails",
        twins=TwinsFound(
            by_pixels=groups.by_pixels,
            by_tower=groups.by_tower,
            unnamed=groups.unnamed,
            groups=len(groups.members),
        ),
        app=app,
        fitted=fitted,
        too_small=why,
    )
