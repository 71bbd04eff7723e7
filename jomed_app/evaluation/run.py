"""`evaluate`: a labelled split, a bundle and an index -> report.json."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jomed_app.data.corpus import load_corpus
from jomed_app.data.records import CaseRecord
from jomed_app.data.tasks import Task, load_task
from jomed_app.errors import ConfigError
from jomed_app.evaluation.report import CaseScores, build_report, write_report
from jomed_app.evaluation.systems import (
    NEIGHBORS,
    SYSTEMS,
    Candidates,
    ScoringSettings,
    conclude_systems,
    read_case,
    show_located,
)
from jomed_app.evaluation.vqa_reading import VQA_SYSTEMS, evaluate_questions
from jomed_app.imaging import read_image
from jomed_app.inference.load import BundleParts, load_bundle
from jomed_app.inference.reading import CaseReader
from jomed_app.inference.settings import Profile
from jomed_app.inference.shelf import CandidateShelf, encode_images
from jomed_app.models.pixels import Letterbox, letterbox
from jomed_app.models.reader import ImageEncoding
from jomed_app.progress import OnProgress
from jomed_app.retrieval.index import CandidateIndex
from jomed_app.retrieval.search import find_candidates

UNTRAINED_SYSTEMS = tuple(name for name in SYSTEMS if name != "backbone")
TWIN_PERCENTILE = 99.95  # ours: nearer than this to a corpus image counts as a near duplicate


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
) -> dict[str, Any]:
    """Score systems on a split and write the report.

    Ours: a task that the bundle was not trained for can be scored too. The reader then answers
    untrained, candidates are weighed by default settings, nothing is calibrated, and there is no
    linear head.

    Args:
        task_name: name or TOML file.
        data: root of a public set, or a folder of records.
        split: train, val or test, several joined by commas.
        bundle: folder; named in the report.
        index: folder that candidates come from; named in the report.
        systems: among `SYSTEMS`; None scores all that the bundle has. An open task's
            `VQA_SYSTEMS` are always scored together.
        limit: first N cases only.
        out: report file.
        on_progress: called after every case.

    Returns:
        The report as plain values.

    Raises:
        ConfigError: if a system is unknown or needs a bundle of this task, or the index holds
            cases of other labels.
        RecordError: if the split holds no case.
    """
    task = load_task(task_name)
    known_systems = VQA_SYSTEMS if task.is_open else SYSTEMS
    if unknown := sorted(set(systems or ()) - set(known_systems)):
        raise ConfigError(f"systems must be among {list(known_systems)}, found {unknown}")
    splits = [name.strip() for name in split.split(",")]
    if task.is_open:  # its systems are read together; there is nothing to leave out
        return evaluate_questions(task, data, splits, bundle, index, limit, out, on_progress)
    parts = load_bundle(bundle)
    if is_own := (task.name, task.labels) == (parts.task.name, parts.task.labels):
        task = parts.task
    chosen = tuple(systems or (SYSTEMS if is_own else UNTRAINED_SYSTEMS))
    if not is_own and not set(chosen) <= set(UNTRAINED_SYSTEMS):
        raise ConfigError(
            f"the bundle's linear head answers the task '{parts.task.name}', asked for was "
            f"'{task.name}'; leave out the system 'backbone' or name another bundle"
        )
    candidates = CandidateIndex.load(index, parts.retriever.fingerprint)
    if foreign := sorted(set(candidates.labels) - set(task.labels)):
        raise ConfigError(
            f"the index must hold cases of the labels {list(task.labels)}, found {foreign}; build "
            f"one: python -m jomed_app index build --task {task_name} ..."
        )
    folder, records = load_corpus(task, data, splits)
    scorer = _Scorer(parts, candidates, task, is_own=is_own)
    cases = []
    for place, record in enumerate(records[:limit]):
        cases.append(scorer.score(folder, record, chosen))
        on_progress(place + 1, len(records[:limit]))
    manifest = parts.bundle.manifest
    report = build_report(
        cases,
        task=task.name,
        split=split,
        labels=task.labels,
        positive_label=task.positive_label,
        bundle=f"{manifest.name} {manifest.version}",
        index=candidates.info.name,
        comparisons=[("rag", name) for name in chosen if name != "rag" and "rag" in chosen],
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    write_report(report, out)
    values: dict[str, Any] = report.model_dump(mode="json")
    return values


class _Scorer:
    """Scores cases of a task with one bundle and one index."""

    def __init__(
        self, parts: BundleParts, index: CandidateIndex, task: Task, *, is_own: bool
    ) -> None:
        self.parts = parts
        self.index = index
        self.task = task
        self.is_own = is_own
        self.reader = CaseReader(parts.reader, task)
        profile = parts.profile(index.info.simulated) if is_own else Profile()
        self.settings = ScoringSettings(
            **asdict(profile.settings),
            scaling=profile.calibration.scaling,
            box_score=profile.calibration.boxes,
        )
        self._shelf = CandidateShelf(self.reader, index)

    def score(self, folder: Path, record: CaseRecord, systems: Sequence[str]) -> CaseScores:
        """Score one case."""
        parts = self.parts
        image = read_image(folder / record.image)
        rows, columns = image.model_input.shape[:2]
        query = encode_images(parts.reader, [image.model_input])[0]
        vectors = parts.retriever.query_from_tokens(query.tokens[None])
        own = self.index.ids_of_image(image.info.sha256)
        groups = frozenset({record.group} if record.group else ())
        hits = find_candidates(
            self.index, vectors, self.settings.k_per_head, exclude_ids=own, exclude_groups=groups
        )
        near = self.index.search(
            vectors["image"], "image", NEIGHBORS, exclude_ids=own, exclude_groups=groups
        )
        free = [
            each
            for each in self.index.ids
            if each not in own and (self.index.candidate(each).group not in groups)
        ]
        seed = int(image.info.sha256[:8], 16)
        drawn = np.random.default_rng(seed).choice(free, size=len(hits), replace=False).tolist()
        nearest = near[0]
        localizes = self.is_own and self.task.has_boxes
        raw = read_case(
            self.reader,
            query,
            self._candidates(
                [hit.candidate_id for hit in hits],
                [hit.relative_score for hit in hits],
                [hit.heads == ("text",) for hit in hits],
            ),
            self._candidates(drawn, [1.0] * len(drawn), [False] * len(drawn)),
            (
                self._labels([hit.candidate_id for hit in near]),
                np.array([hit.retriever_score for hit in near]),
            ),
            self._linear_log_prob(query),
            self.settings,
            size=(rows, columns),
        )
        if localizes:
            side = parts.localizer.config.image_size
            found = parts.localizer.find([letterbox(image.model_input, side)])[0]
            raw = raw.with_found(found, Letterbox(rows, columns, side))
        empty = [self.task.labels.index(name) for name in self.task.empty_labels]
        raw = show_located(raw, self.settings, empty)
        said = conclude_systems(raw, self.settings, systems)
        if not self.task.has_boxes:
            said = {name: replace(each, boxes=None) for name, each in said.items()}
        similar = self.index.percentile(nearest.retriever_score, "image")
        return CaseScores(
            case_id=record.case_id,
            group=record.group or record.case_id,
            label=self.task.labels.index(record.label),
            systems=said,
            boxes=tuple(record.box_list),
            is_clean=similar < TWIN_PERCENTILE,
        )

    def _linear_log_prob(self, query: ImageEncoding) -> NDArray[np.float64]:
        """(C,) of the bundle's linear head; every label alike where it was fitted to others."""
        count = len(self.task.labels)
        if not self.is_own:
            return np.full(count, -np.log(count))
        features = self.parts.retriever.features(query.tokens[None])
        return np.asarray(self.parts.backbone.log_prob(features)[0], dtype=np.float64)

    def _labels(self, ids: Sequence[str]) -> np.ndarray[Any, np.dtype[np.intp]]:
        labels = self.task.labels
        return np.array([labels.index(self.index.candidate(each).label) for each in ids], np.intp)

    def _candidates(
        self, ids: Sequence[str], scores: Sequence[float], is_text: Sequence[bool]
    ) -> Candidates:
        inputs = self._shelf.inputs(ids)
        return Candidates(
            inputs,
            self._labels(ids),
            np.asarray(scores, dtype=np.float64),
            np.asarray(is_text, dtype=np.bool_),
        )
