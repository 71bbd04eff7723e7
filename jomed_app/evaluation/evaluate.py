"""`evaluate`: a labelled split, a bundle and an index -> report.json and its predictions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jomed_app.data.corpus import load_corpus
from jomed_app.data.tasks import Task, load_task
from jomed_app.errors import ConfigError
from jomed_app.evaluation.growth import GROWN_SYSTEMS, curve_point, hidden_at
from jomed_app.evaluation.questions.read import VQA_SYSTEMS, evaluate_questions
from jomed_app.evaluation.report.build import build_report, write_report
from jomed_app.evaluation.report.predictions import write_predictions
from jomed_app.evaluation.report.schema import EvaluationReport
from jomed_app.evaluation.report.scores import CaseScores, with_shared_systems
from jomed_app.evaluation.split_reader import SplitReader
from jomed_app.evaluation.systems import ADVERSARIAL, JOINT_SYSTEMS, SYSTEMS
from jomed_app.inference.index_labels import widen_task
from jomed_app.inference.load import load_bundle
from jomed_app.progress import OnProgress
from jomed_app.retrieval.index import CandidateIndex

TRAINED_SYSTEMS = ("backbone", "image_alone")  # they answer one task only
UNTRAINED_SYSTEMS = tuple(name for name in SYSTEMS if name not in TRAINED_SYSTEMS)
ALL_SYSTEMS = (*SYSTEMS, *JOINT_SYSTEMS)


def evaluate_task(
    task_name: str,
    data: Path,
    split: str,
    bundle: Path,
    index: Path,
    systems: Sequence[str] | None,
    limit: int | None,
    out: Path,
    on_progress: OnProgress,
    precision: str = "auto",
    *,
    masks: bool = False,
    index_sizes: Sequence[int] = (),
) -> dict[str, Any]:
    """Score systems on a split; write the report and, beside it, the per-case predictions.

    Ours: a task that the bundle was not trained for can be scored too. The reader then answers
    untrained, candidates are weighed by default settings, nothing is calibrated, and there is no
    linear head. Labels that only the index knows are answered by the vote, as in the app.

    Args:
        task_name: name or TOML file.
        data: root of a public set, or a folder of records.
        split: train, val or test, several joined by commas.
        bundle: folder; named in the report.
        index: folder that candidates come from; named in the report.
        systems: among `SYSTEMS` and `JOINT_SYSTEMS`; None scores all that the bundle has. An open
            task's `VQA_SYSTEMS` are always scored together.
        limit: first N cases only.
        out: report file.
        on_progress: called after every case.
        precision: see `load_bundle`.
        masks: whether text and callipers in the images are painted over first; closed tasks alone.
        index_sizes: numbers of known cases for which the split is answered too, before the whole
            index; the predictions of each stand beside the report as `<report>.<size>`.

    Returns:
        The report as plain values.

    Raises:
        ConfigError: if a system is unknown or needs a bundle of this task or a richer index, or
            the index holds cases of other labels.
        RecordError: if the split holds no case.
    """
    task = load_task(task_name)
    known_systems = VQA_SYSTEMS if task.is_open else ALL_SYSTEMS
    if unknown := sorted(set(systems or ()) - set(known_systems)):
        raise ConfigError(f"systems must be among {list(known_systems)}, found {unknown}")
    splits = [name.strip() for name in split.split(",")]
    if task.is_open and (masks or index_sizes):
        raise ConfigError(
            f"masking and a growing index need a task with labels, '{task.name}' has none; leave "
            "--mask-text and --index-sizes out"
        )
    if task.is_open:  # its systems are read together; there is nothing to leave out
        return evaluate_questions(
            task, data, splits, bundle, index, limit, out, on_progress, precision
        )
    parts = load_bundle(bundle, precision)
    parts.reader.prepare()  # as the engine reads
    is_own = parts.is_tuned and (task.name, task.labels) == (parts.task.name, parts.task.labels)
    if is_own:
        task = parts.task
    own_systems = ALL_SYSTEMS if parts.has_trained_heads else SYSTEMS
    chosen = tuple(systems or (own_systems if is_own else UNTRAINED_SYSTEMS))
    if needless := sorted(set(chosen) & set(JOINT_SYSTEMS) - set(own_systems)):
        raise ConfigError(
            f"{needless} require a bundle with trained query heads, found untrained ones; train "
            "the stage 'retriever' or leave them out"
        )
    if not is_own and not set(chosen) <= set(UNTRAINED_SYSTEMS):
        raise ConfigError(
            f"the bundle's linear head answers the task '{parts.task.name}', asked for was "
            f"'{task.name}'; leave out the systems {[*TRAINED_SYSTEMS, *JOINT_SYSTEMS]} or name "
            "another bundle"
        )
    candidates = CandidateIndex.load(index, parts.retriever.fingerprint)
    if is_own:
        task = widen_task(task, candidates.labels)
    if foreign := sorted(set(candidates.labels) - set(task.labels)):
        raise ConfigError(
            f"the index must hold cases of the labels {list(task.labels)}, found {foreign}; build "
            f"one: python -m jomed_app index build --task {task_name} ..."
        )
    if len(candidates.labels) < 2:
        if ADVERSARIAL in (systems or ()):
            raise ConfigError(
                f"'{ADVERSARIAL}' requires an index of two labels or more, found "
                f"{list(candidates.labels)}; add cases or leave it out"
            )
        chosen = tuple(name for name in chosen if name != ADVERSARIAL)
    folder, records = load_corpus(task, data, splits)
    reader = SplitReader(parts, candidates, task, is_own=is_own, masks=masks)
    asked, hidden = records[:limit], hidden_at(candidates, index_sizes)
    out.parent.mkdir(parents=True, exist_ok=True)
    curve, done = [], 0
    hidden.pop(len(candidates), None)  # the whole index is read last in any case
    for size in (*hidden, len(candidates)):
        is_whole = size not in hidden
        read = chosen if is_whole else tuple(name for name in chosen if name in GROWN_SYSTEMS)
        cases = []
        for record in asked:
            cases.append(reader.score(folder, record, read, hidden.get(size, frozenset())))
            done += 1
            on_progress(done, (len(hidden) + 1) * len(asked))
        cases = with_shared_systems(cases)
        report = _report(cases, task, split, parts.title, candidates.info.name, masks)
        beside = out if is_whole else out.with_suffix(f".{size}.json")
        write_predictions(beside, cases, task.labels)
        if hidden:
            curve.append(curve_point(size, report))
    report = report.model_copy(update={"curve": tuple(curve)})
    write_report(report, out)
    values: dict[str, Any] = report.model_dump(mode="json")
    return values


def _report(
    cases: Sequence[CaseScores], task: Task, split: str, bundle: str, index: str, masks: bool
) -> EvaluationReport:
    """Score the systems that the cases hold, and compare what the app shows with the others."""
    scored = cases[0].systems
    report = build_report(
        cases,
        task=task.name,
        split=split,
        labels=task.labels,
        positive_label=task.positive_label,
        bundle=bundle,
        index=index,
        comparisons=[
            (first, name)
            for first in ("rag", "joint")
            for name in scored
            if first in scored and name != first and (first, name) != ("rag", "joint")
        ],
    )
    return report.model_copy(update={"is_masked": masks})
