"""`evaluate`: a labelled split, a bundle and an index -> report.json."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from jomed_app.data.corpus import load_corpus
from jomed_app.data.records import CaseRecord
from jomed_app.data.tasks import load_task
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
from jomed_app.imaging import read_image
from jomed_app.inference.load import BundleParts, load_bundle
from jomed_app.inference.reading import CaseReader
from jomed_app.inference.shelf import CandidateShelf, encode_images
from jomed_app.models.pixels import Letterbox, letterbox
from jomed_app.progress import OnProgress
from jomed_app.retrieval.index import CandidateIndex
from jomed_app.retrieval.search import find_candidates

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

    Args:
        task_name: name or TOML file; must be the bundle's task.
        data: root of a public set, or a folder of records.
        split: train, val or test, several joined by commas.
        bundle: folder; named in the report.
        index: folder that candidates come from; named in the report.
        systems: among `SYSTEMS`; None scores all.
        limit: first N cases only.
        out: report file.
        on_progress: called after every case.

    Returns:
        The report as plain values.

    Raises:
        ConfigError: if a system is unknown, or the bundle answers another task.
        RecordError: if the split holds no case.
    """
    chosen = tuple(systems or SYSTEMS)
    if unknown := sorted(set(chosen) - set(SYSTEMS)):
        raise ConfigError(f"systems must be among {list(SYSTEMS)}, found {unknown}")
    parts = load_bundle(bundle)
    task = load_task(task_name)
    if task.name != parts.task.name:
        raise ConfigError(
            f"the bundle answers the task '{parts.task.name}', asked for was '{task.name}'; "
            "name another bundle"
        )
    candidates = CandidateIndex.load(index, parts.retriever.fingerprint)
    splits = [name.strip() for name in split.split(",")]
    folder, records = load_corpus(parts.task, data, splits)
    scorer = _Scorer(parts, candidates)
    cases = []
    for place, record in enumerate(records[:limit]):
        cases.append(scorer.score(folder, record, chosen))
        on_progress(place + 1, len(records[:limit]))
    manifest = parts.bundle.manifest
    report = build_report(
        cases,
        task=task.name,
        split=split,
        labels=parts.task.labels,
        positive_label=parts.task.positive_label,
        bundle=f"{manifest.name} {manifest.version}",
        index=candidates.info.name,
        comparisons=[("rag", name) for name in chosen if name != "rag" and "rag" in chosen],
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    write_report(report, out)
    values: dict[str, Any] = report.model_dump(mode="json")
    return values


class _Scorer:
    """Scores cases with one bundle and one index."""

    def __init__(self, parts: BundleParts, index: CandidateIndex) -> None:
        self.parts = parts
        self.index = index
        self.reader = CaseReader(parts.reader, parts.task)
        profile = parts.profile(index.info.simulated)
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
            parts.backbone.log_prob(parts.retriever.features(query.tokens[None]))[0],
            self.settings,
            size=(rows, columns),
        )
        if parts.task.has_boxes:
            side = parts.localizer.config.image_size
            found = parts.localizer.find([letterbox(image.model_input, side)])[0]
            raw = raw.with_found(found, Letterbox(rows, columns, side))
        empty = [parts.task.labels.index(name) for name in parts.task.empty_labels]
        raw = show_located(raw, self.settings, empty)
        similar = self.index.percentile(nearest.retriever_score, "image")
        return CaseScores(
            case_id=record.case_id,
            group=record.group or record.case_id,
            label=parts.task.labels.index(record.label),
            systems=conclude_systems(raw, self.settings, systems),
            boxes=tuple(record.box_list),
            is_clean=similar < TWIN_PERCENTILE,
        )

    def _labels(self, ids: Sequence[str]) -> np.ndarray[Any, np.dtype[np.intp]]:
        labels = self.parts.task.labels
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
