"""Scores one case with a bundle and an index, with the standard search and the trained one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jomed_app.data.records import CaseRecord
from jomed_app.data.tasks import Task
from jomed_app.evaluation.case_reading import Candidates, read_case
from jomed_app.evaluation.folds.joint import JOINT_NAMES
from jomed_app.evaluation.report.scores import CaseScores
from jomed_app.evaluation.systems import (
    ADVERSARIAL,
    NEIGHBORS,
    RawCase,
    ScoringSettings,
    conclude_systems,
    show_located,
)
from jomed_app.imaging import read_image
from jomed_app.inference.candidate_cache import CandidateShelf, encode_images
from jomed_app.inference.case_reader import CaseReader
from jomed_app.inference.index_labels import without_figures
from jomed_app.inference.load import BundleParts
from jomed_app.inference.settings import Profile
from jomed_app.models.pixels import Letterbox, letterbox
from jomed_app.models.reader.packed import ImageEncoding
from jomed_app.retrieval.index import CandidateIndex
from jomed_app.retrieval.search import find_candidates

TWIN_PERCENTILE = 99.95  # ours: nearer than this to a corpus image counts as a near duplicate


class Scorer:
    """Scores cases of a task with one bundle and one index.

    Args:
        parts: the loaded bundle.
        index: what is searched.
        task: what is asked.
        is_own: whether the bundle was trained for the task; else its settings do not apply.
    """

    def __init__(
        self, parts: BundleParts, index: CandidateIndex, task: Task, *, is_own: bool
    ) -> None:
        self.parts = parts
        self.index = index
        self.task = task
        self.is_own = is_own
        self._num_new = len(task.index_only)
        self.reader = CaseReader(parts.reader, task)
        self.standard, self.joint = (
            _scoring(
                parts.profile(index.info.simulated, standard) if is_own else Profile(),
                self._num_new,
            )
            for standard in (True, False)
        )
        self._shelf = CandidateShelf(self.reader, index)
        self._ids_of_label: dict[str, set[str]] = {}
        for each in index.ids:
            self._ids_of_label.setdefault(index.candidate(each).label, set()).add(each)

    def score(self, folder: Path, record: CaseRecord, systems: Sequence[str]) -> CaseScores:
        """Score one case."""
        image = read_image(folder / record.image)
        query = encode_images(self.parts.reader, [image.model_input])[0]
        own = self.index.ids_of_image(image.info.sha256)
        groups = frozenset({record.group} if record.group else ())
        left_out = own, groups
        place, found = None, None
        if self.is_own and self.task.has_boxes:
            side = self.parts.localizer.config.image_size
            found = self.parts.localizer.find([letterbox(image.model_input, side)])[0]
            place = Letterbox(image.model_input.shape[0], image.model_input.shape[1], side)
        seed = int(image.info.sha256[:8], 16)

        def answers(trained: bool) -> tuple[RawCase, ScoringSettings]:
            settings = self.joint if trained else self.standard
            size = image.model_input.shape[:2]
            truth = record.label if ADVERSARIAL in systems and not trained else None
            raw = self._read(query, left_out, settings, trained, seed, (size[0], size[1]), truth)
            if found is not None and place is not None:
                raw = raw.with_found(found, place)
                raw = replace(raw, class_prob=(*raw.class_prob, *[0.0] * self._num_new))
            empty = [self.task.labels.index(name) for name in self.task.empty_labels]
            return show_located(raw, settings, empty), settings

        raw, settings = answers(trained=False)
        said = dict(conclude_systems(raw, settings, systems))
        if set(systems) & set(JOINT_NAMES.values()):
            joint = conclude_systems(*answers(trained=True), tuple(JOINT_NAMES))
            said |= {JOINT_NAMES[name]: scores for name, scores in joint.items()}
        if not self.task.has_boxes:
            said = {name: replace(each, boxes=None) for name, each in said.items()}
        similar = self.index.percentile(float(raw.neighbor_scores[0]), "image")
        return CaseScores(
            case_id=record.case_id,
            group=record.group or record.case_id,
            label=self.task.labels.index(record.label),
            systems={name: said[name] for name in said if name in systems},
            boxes=tuple(record.box_list),
            is_clean=similar < TWIN_PERCENTILE,
        )

    def _read(
        self,
        query: ImageEncoding,
        left_out: tuple[frozenset[str], frozenset[str]],
        settings: ScoringSettings,
        trained: bool,
        seed: int,
        size: tuple[int, int],
        truth: str | None,
    ) -> RawCase:
        """Search with or without the trained heads and read what was found.

        With the true label, candidates of other labels are searched and read too.
        """
        own, groups = left_out
        vectors = self.parts.retriever.query_from_tokens(query.tokens[None], trained=trained)
        hits = find_candidates(
            self.index, vectors, settings.k_per_head, exclude_ids=own, exclude_groups=groups
        )
        near = self.index.search(
            vectors["image"], "image", NEIGHBORS, exclude_ids=own, exclude_groups=groups
        )
        free = [
            each
            for each in self.index.ids
            if each not in own and (self.index.candidate(each).group not in groups)
        ]
        drawn = np.random.default_rng(seed).choice(free, size=len(hits), replace=False).tolist()
        misleading = []
        if truth is not None:
            same = own | self._ids_of_label.get(truth, set())
            misleading = find_candidates(self.index, vectors, settings.k_per_head, same, groups)
        return read_case(
            self.reader,
            query,
            self._candidates(
                [hit.candidate_id for hit in hits],
                [hit.relative_score for hit in hits],
                [hit.heads == ("text",) for hit in hits],
            ),
            self._counting_alike(drawn),
            (
                self._labels([hit.candidate_id for hit in near]),
                np.array([hit.retriever_score for hit in near]),
            ),
            self._linear_log_prob(query),
            settings,
            size=size,
            adversarial=(
                self._counting_alike([hit.candidate_id for hit in misleading])
                if misleading
                else None
            ),
        )

    def _linear_log_prob(self, query: ImageEncoding) -> NDArray[np.float64]:
        """(C,) of the bundle's linear head; every label alike where it was fitted to others.

        A label of the index alone has no probability there.
        """
        count = len(self.task.labels)
        if not self.is_own:
            return np.full(count, -np.log(count))
        features = self.parts.retriever.features(query.tokens[None])
        known = np.asarray(self.parts.backbone.log_prob(features)[0], dtype=np.float64)
        return np.pad(known, (0, self._num_new), constant_values=-np.inf)

    def _labels(self, ids: Sequence[str]) -> np.ndarray[Any, np.dtype[np.intp]]:
        labels = self.task.labels
        return np.array([labels.index(self.index.candidate(each).label) for each in ids], np.intp)

    def _counting_alike(self, ids: Sequence[str]) -> Candidates:
        """Candidates that no search weighs."""
        return self._candidates(ids, [1.0] * len(ids), [False] * len(ids))

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


def _scoring(profile: Profile, num_new: int) -> ScoringSettings:
    """Settings of a profile; with labels that only the index knows, as the engine takes it."""
    profile = without_figures(profile, num_new)
    return ScoringSettings(
        **asdict(profile.settings),
        scaling=profile.calibration.scaling,
        box_score=profile.calibration.boxes,
        num_index_only=num_new,
    )
