"""Reads the cases of a labelled split with a bundle and an index, by both searches."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from jomed_app.data.records import CaseRecord
from jomed_app.data.tasks import Task
from jomed_app.evaluation.held_out import HeldOutCase
from jomed_app.evaluation.read import Ask, ask_reader, read_case, remembering
from jomed_app.evaluation.report.scores import CaseScores
from jomed_app.evaluation.systems import (
    ADVERSARIAL,
    JOINT_NAMES,
    JOINT_SYSTEMS,
    conclude_systems,
)
from jomed_app.imaging.annotations import mask_annotations
from jomed_app.imaging.content.text import find_text, paint_over
from jomed_app.imaging.decoder import read_untrusted
from jomed_app.inference.calibration.profile import Profile
from jomed_app.inference.candidate_cache import CandidateCache
from jomed_app.inference.case_reader import CaseReader
from jomed_app.inference.index_labels import without_figures
from jomed_app.inference.load import BundleParts
from jomed_app.models.localizer.detection import Detection
from jomed_app.models.pixels import Letterbox, letterbox
from jomed_app.retrieval.index import CandidateIndex
from jomed_app.types import ImageRecord

TWIN_PERCENTILE = 99.95  # ours: nearer than this to a corpus image counts as a near duplicate


@dataclass(frozen=True, slots=True)
class Looked:
    """A query as the models see it: the image, its view, where a finding lies, and the reader."""

    image: ImageRecord
    ask: Ask
    view: Tensor
    located: tuple[Detection, Letterbox] | None


class SplitReader:
    """Scores cases of a task with one bundle and one index.

    Args:
        parts: the loaded bundle.
        index: what is searched.
        task: what is asked.
        is_own: whether the bundle was trained for the task; else its heads do not apply.
        masks: whether text and callipers in the images are painted over first.
    """

    def __init__(
        self,
        parts: BundleParts,
        index: CandidateIndex,
        task: Task,
        *,
        is_own: bool,
        masks: bool = False,
    ) -> None:
        self.parts = parts
        self.index = index
        self.task = task
        self.is_own = is_own
        self.answers_task = is_own or (not parts.is_tuned and task.name == parts.task.name)
        self.masks = masks
        self._reader = CaseReader(parts.reader, task)
        self._candidates = CandidateCache.of_index(parts.reader, index)

    def profile(self, *, trained: bool) -> Profile:
        """What the engine concludes with, by the trained search or by similarity alone."""
        known = self.index.info
        if not self.answers_task:
            return Profile()
        profile = self.parts.profile_beside(known, standard=not trained)
        if self.parts.is_fitted_to(known):
            return profile
        return without_figures(profile, len(self.task.index_only))

    def score(
        self,
        folder: Path,
        record: CaseRecord,
        systems: Sequence[str],
        hidden: Collection[str] = frozenset(),
    ) -> CaseScores:
        """Score one case.

        A case is clean where no case of its group stands in the index (none is ever a candidate of
        it) and none of the others looks like it.

        Args:
            folder: where image paths start from.
            record: the case.
            systems: those that are scored.
            hidden: cases of the index that are not there yet.
        """
        seen = self.look(read_untrusted(record.image_in(folder)))
        wanted = ADVERSARIAL in systems
        standard = self.read(seen, record, trained=False, misleads=wanted, hidden=hidden)
        said = dict(conclude_systems(standard, self.profile(trained=False), systems))
        if set(systems) & set(JOINT_SYSTEMS):
            joint = self.read(seen, record, trained=True, hidden=hidden)
            answers = conclude_systems(joint, self.profile(trained=True), tuple(JOINT_NAMES))
            said |= {JOINT_NAMES[name]: scores for name, scores in answers.items()}
        neighbors = standard.evidence.neighbor_scores
        similar = 0.0 if neighbors is None else self.index.percentile(neighbors.max(), "image")
        return CaseScores(
            case_id=record.case_id,
            group=record.group or record.case_id,
            label=self.task.labels.index(record.label),
            systems={name: said[name] for name in said if name in systems},
            boxes=tuple(record.box_list),
            is_clean=similar < TWIN_PERCENTILE and not self.index.holds_group(record.group),
        )

    def look(self, image: ImageRecord, *, remembers: bool = False) -> Looked:
        """What the models make of an image before anything is searched.

        Args:
            image: the query.
            remembers: whether a candidate that is found again is not read again.
        """
        if self.masks:
            image = replace(image, model_input=without_marks(image.model_input))
        query = self.parts.reader.encode([image.model_input])[0]
        view = self.parts.retriever.look(image.model_input, query)
        ask = ask_reader(self._reader, query, self._candidates.inputs)
        return Looked(image, remembering(ask) if remembers else ask, view, self._locate(image))

    def read(
        self,
        seen: Looked,
        record: CaseRecord,
        *,
        trained: bool,
        misleads: bool = False,
        draws: bool = True,
        hidden: Collection[str] = frozenset(),
    ) -> HeldOutCase:
        """Search with or without the trained heads, read what was found, look at the image.

        Args:
            seen: the query.
            record: its case; nothing of its group is found.
            trained: which search.
            misleads: whether it is also read beside the nearest cases of other labels.
            draws: whether it is also read beside random ones, where the search is not trained.
            hidden: cases of the index that are left out too.
        """
        profile, image = self.profile(trained=trained), seen.image
        case = read_case(
            seen.ask,
            self.index,
            self.parts.retriever.query_vectors(seen.view, trained=trained),
            self.task.labels,
            k_per_head=profile.settings.k_per_head,
            backbone=self._backbone(seen.view),
            exclude_ids=self.index.ids_of_image(image.sha256) | frozenset(hidden),
            exclude_groups=frozenset({record.group} if record.group else ()),
            new=self.task.index_only,
            seed=int(image.sha256[:8], 16) if draws and not trained else None,
            truth=record.label if misleads else None,
        )
        if seen.located is None:
            return case.with_image(np.exp(case.backbone)) if self.is_own else case
        empty = [self.task.labels.index(name) for name in self.task.empty_labels]
        return case.with_detection(*seen.located).with_box_score(profile, empty)

    def _locate(self, image: ImageRecord) -> tuple[Detection, Letterbox] | None:
        """What the localizer says, where it was trained for the task, and how the image lies."""
        localizer = self.parts.localizer
        if localizer is None or not (self.is_own and self.task.has_boxes):
            return None
        side = localizer.config.image_size
        found = localizer.find([letterbox(image.model_input, side)])[0]
        return found, Letterbox.of_record(image, side)

    def _backbone(self, view: Tensor) -> NDArray[np.float64]:
        """(C,) of the bundle's linear head; every label alike where it was fitted to others.

        A label of the index alone has no probability there.
        """
        count = len(self.task.labels)
        if self.parts.backbone is None or not self.is_own:
            return np.full(count, -np.log(count))
        features = self.parts.retriever.features(view)
        known = np.asarray(self.parts.backbone.log_prob(features)[0], dtype=np.float64)
        return np.pad(known, (0, len(self.task.index_only)), constant_values=-np.inf)


def without_marks(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Paint text, callipers and other burnt-in marks over with their surroundings.

    Args:
        image: (rows, columns, 3) RGB.
    """
    return mask_annotations(paint_over(image, find_text(image)))
