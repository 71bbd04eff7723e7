"""The localizers' part of the stage `reader`: one from simulated cases, then one per fold."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from jomed_app.config.localizer import LocalizerTrainingConfig
from jomed_app.data.corpus import assign_folds
from jomed_app.data.tasks import Task
from jomed_app.errors import ConfigError
from jomed_app.models.localizer.localizer import Localizer, LocalizerConfig
from jomed_app.models.towers.families import VisionTower, is_lent, load_tower
from jomed_app.progress import OnProgress
from jomed_app.storage.durable import added_files
from jomed_app.training.cases.image_set import load_images
from jomed_app.training.cases.labeled import choose_labeled, load_real
from jomed_app.training.localizer.kept_views import KeptCases, Part, keep_cases
from jomed_app.training.localizer.train import train_localizer
from jomed_app.training.run.loop import no_progress
from jomed_app.training.run.workspace import Workspace


def fresh_localizer(
    tower: VisionTower, task: Task, config: LocalizerTrainingConfig, location_bins: int
) -> Localizer:
    """A localizer that knows what the tower knows.

    Raises:
        ConfigError: if the input size or the stride is none that the tower has maps of.
    """
    torch.manual_seed(config.seed)
    try:
        shape = LocalizerConfig(
            image_size=config.image_size,
            tower=tower.config.to_diff_dict(),
            stride=config.stride,
            num_labels=len(task.labels),
            empty_labels=[task.labels.index(name) for name in task.empty_labels],
            location_bins=location_bins,
        )
    except ValueError as error:  # in the localizer's own words
        raise ConfigError(f"train_localizer.{error}") from error
    localizer = Localizer(shape)
    localizer.start_from(tower)
    return localizer


def frozen_tower(work: Workspace) -> VisionTower:
    """The tower that localizers go on from.

    It is the base tower, whose first stages every localizer carries; or, where a localizer is lent
    the reader's tower, the aligned one, which that is.
    """
    tower = load_tower(work.base("tower"))
    return load_tower(work.align / "tower") if is_lent(tower.config) else tower


def keep_simulated(
    work: Workspace, tower: VisionTower, on_progress: OnProgress = no_progress
) -> KeptCases | None:
    """Kept views of the simulated cases; None where the task has no simulator."""
    config, records = work.config.train_localizer, work.simulated("reader")
    if not records:
        return None
    images = load_images(work.corpus("reader"), records, config.image_size)
    views, seed = config.simulated_views, config.seed
    return keep_cases(
        tower, images, work.task, views, seed, folder=work.features, on_progress=on_progress
    )


def keep_real(
    work: Workspace, tower: VisionTower, on_progress: OnProgress = no_progress
) -> tuple[KeptCases, NDArray[np.int64]]:
    """Kept views of the real cases, and the fold of each."""
    config, settings = work.config.train_localizer, work.config.train_reader
    folder, records = load_real(work)
    images = load_images(folder, records, config.image_size)
    kept = keep_cases(
        tower,
        images,
        work.task,
        config.views,
        config.seed,
        folder=work.features,
        on_progress=on_progress,
    )
    return kept, assign_folds(records, settings.folds, settings.fold_seed)


def taught_rows(
    work: Workspace, folds: NDArray[np.int64], held_out: int | None
) -> NDArray[np.int64]:
    """Places of the real cases whose labels and boxes a fold may learn.

    Args:
        work: the run.
        folds: (N,) of the real cases, as `keep_real` returns them.
        held_out: None holds nothing out.
    """
    labeled = choose_labeled(load_real(work)[1], work.config.data)
    return np.flatnonzero(labeled if held_out is None else labeled & (folds != held_out))


def localizer_stage(
    work: Workspace, *, resume: bool = False, on_progress: OnProgress = no_progress
) -> None:
    """Train on simulated cases, then one localizer per fold and one on all real cases."""
    config, tower = work.config.train_localizer, frozen_tower(work)
    localizer = fresh_localizer(tower, work.task, config, work.config.reader.location_bins)
    share, drawn = config.simulated_share, list[Part]()
    if config.simulated_steps or share or not work.config.data.labels_share:
        simulated = keep_simulated(work, tower, on_progress)
        if simulated is not None:
            drawn = [Part(simulated, np.arange(len(simulated.labels)), share or 1.0)]

    def train(name: str, start: Localizer, parts: Sequence[Part], steps: int) -> Localizer:
        trained, folder = copy.deepcopy(start), work.localizer(name)
        train_localizer(
            trained, parts, config, folder, steps=steps, resume=resume, on_progress=on_progress
        )
        with added_files(folder) as beside:
            trained.save_pretrained(beside)
        return trained

    if drawn and config.simulated_steps:
        localizer = train("simulated", localizer, drawn, config.simulated_steps)
    if not work.trained_folds:
        return
    mixed = drawn if share or not work.config.data.labels_share else []
    kept, folds = keep_real(work, tower, on_progress)
    for fold in work.trained_folds:
        rows = taught_rows(work, folds, fold)
        real = [Part(kept, rows, 1 - share if mixed else 1.0)] if len(rows) else []
        parts = [*real, *mixed]
        train(work.fold_name(fold), localizer, parts, config.steps)
