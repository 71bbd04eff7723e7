"""The localizers' part of the stage `reader`: one from simulated cases, then one per fold."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from jomed_app.config.localizer import LocalizerTrainingConfig
from jomed_app.data.corpus import assign_folds, load_corpus
from jomed_app.data.tasks import Task
from jomed_app.models.localizer.localizer import Localizer, LocalizerConfig
from jomed_app.models.vision_tower import EfficientNetLiteModel
from jomed_app.progress import OnProgress
from jomed_app.training.cases.image_set import load_images
from jomed_app.training.localizer.kept_views import KeptCases, Part, keep_cases
from jomed_app.training.localizer.train import train_localizer
from jomed_app.training.run.loop import no_progress
from jomed_app.training.run.workspace import Workspace


def fresh_localizer(
    tower: EfficientNetLiteModel, task: Task, config: LocalizerTrainingConfig, location_bins: int
) -> Localizer:
    """A localizer that knows what the tower knows."""
    torch.manual_seed(config.seed)
    localizer = Localizer(
        LocalizerConfig(
            image_size=config.image_size,
            tower_width=tower.config.width,
            stride=int(config.stride),
            num_labels=len(task.labels),
            empty_labels=[task.labels.index(name) for name in task.empty_labels],
            location_bins=location_bins,
        )
    )
    localizer.copy_stages(tower)
    return localizer


def frozen_tower(work: Workspace) -> EfficientNetLiteModel:
    """The base tower, whose early stages every localizer carries."""
    tower: EfficientNetLiteModel = EfficientNetLiteModel.from_pretrained(work.base("tower"))
    tower.train(False)
    return tower


def keep_simulated(
    work: Workspace, tower: EfficientNetLiteModel, on_progress: OnProgress = no_progress
) -> KeptCases | None:
    """Kept views of the simulated cases; None where the task has no simulator."""
    config, records = work.config.train_localizer, work.simulated("reader")
    if not records:
        return None
    images = load_images(work.corpus("reader"), records, config.image_size)
    views, seed = config.simulated_views, config.seed
    return keep_cases(tower, images, work.task, views, seed, on_progress=on_progress)


def keep_real(
    work: Workspace, tower: EfficientNetLiteModel, on_progress: OnProgress = no_progress
) -> tuple[KeptCases, NDArray[np.int64]]:
    """Kept views of the real cases, and the fold of each."""
    config, settings = work.config.train_localizer, work.config.train_reader
    folder, records = load_corpus(work.task, Path(settings.data), ("train", "val"))
    images = load_images(folder, records, config.image_size)
    kept = keep_cases(tower, images, work.task, config.views, config.seed, on_progress=on_progress)
    return kept, assign_folds(records, settings.folds, settings.fold_seed)


def localizer_stage(
    work: Workspace, *, resume: bool = False, on_progress: OnProgress = no_progress
) -> None:
    """Train on simulated cases, then one localizer per fold and one on all real cases."""
    config, tower = work.config.train_localizer, frozen_tower(work)
    localizer = fresh_localizer(tower, work.task, config, work.config.reader.location_bins)
    share, drawn = config.simulated_share, list[Part]()
    if config.simulated_steps or share:
        simulated = keep_simulated(work, tower, on_progress)
        if simulated is not None:
            drawn = [Part(simulated, np.arange(len(simulated.labels)), share or 1.0)]

    def train(name: str, start: Localizer, parts: Sequence[Part], steps: int) -> Localizer:
        trained, folder = copy.deepcopy(start), work.localizer(name)
        train_localizer(
            trained, parts, config, folder, steps=steps, resume=resume, on_progress=on_progress
        )
        trained.save_pretrained(folder)
        return trained

    if drawn and config.simulated_steps:
        localizer = train("simulated", localizer, drawn, config.simulated_steps)
    if not work.trained_folds:
        return
    mixed = drawn if share else []
    kept, folds = keep_real(work, tower, on_progress)
    for fold in work.trained_folds:
        rows = np.flatnonzero(folds != fold) if fold is not None else np.arange(len(folds))
        parts = [Part(kept, rows, 1 - share if mixed else 1.0), *mixed]
        train(work.fold_name(fold), localizer, parts, config.steps)
