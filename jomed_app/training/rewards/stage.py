"""The stage `rewards`: tune the localizers that the stage `reader` left."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jomed_app.config.load import JomedConfig
from jomed_app.errors import ConfigError
from jomed_app.models.localizer.localizer import load_localizer
from jomed_app.progress import OnProgress
from jomed_app.storage.durable import added_files, write_file
from jomed_app.training.localizer.kept_views import KeptCases
from jomed_app.training.localizer.stage import (
    frozen_tower,
    keep_real,
    keep_simulated,
    taught_rows,
)
from jomed_app.training.rewards.merge import tune_localizer
from jomed_app.training.rewards.policy import (
    LocalizerPolicy,
    ViewQueries,
    rewarded_rows,
    see_cases,
)
from jomed_app.training.rewards.reward_responses import class_set
from jomed_app.training.rewards.text.embedded import tune_readers
from jomed_app.training.rewards.train import greedy_localization
from jomed_app.training.run.loop import no_progress
from jomed_app.training.run.workspace import Workspace

HELD_OUT_FILE = "held_out.json"
Rows = NDArray[np.int64]


def rewards_stage(
    config: JomedConfig, out: Path, *, resume: bool = False, on_progress: OnProgress = no_progress
) -> None:
    """Tune what the stage `reader` left with rewards, the localizers or the readers themselves.

    Each is tuned on the cases that it was trained on; localizers go to `rewards/<name>`. With
    `train_rewards.ship` the tuned ones are read with and exported, else the untuned ones.

    Raises:
        ConfigError: if the stage `reader` has not been run.
    """
    if config.train_rewards.tunes == "reader":
        tune_readers(Workspace(out, config), resume=resume, on_progress=on_progress)
        return
    work = Workspace(out, with_fewer_views(config))
    names = [work.fold_name(fold) for fold in work.trained_folds] or ["simulated"]
    for name in names:
        if not (work.localizer(name) / "config.json").is_file():
            raise ConfigError(
                f"the stage 'rewards' requires the localizer '{name}'; run: train reader first"
            )
    cases, parts = _parts(work, on_progress)
    for name, rows, held_out in parts:
        _tune_localizer(work, name, cases, rows, held_out, resume, on_progress)


def with_fewer_views(config: JomedConfig) -> JomedConfig:
    """The configuration with as many kept views at most as rewards draw from."""
    most, kept = config.train_rewards.views, config.train_localizer
    views, simulated = min(kept.views, most), min(kept.simulated_views, most)
    return config.replaced(train_localizer=kept.replaced(views=views, simulated_views=simulated))


def _parts(
    work: Workspace, on_progress: OnProgress
) -> tuple[KeptCases, list[tuple[str, Rows, Rows]]]:
    """Kept cases, and per localizer its name, the rows to tune on and the held-out ones."""
    tower = frozen_tower(work)
    nothing = np.zeros(0, dtype=np.int64)
    if not work.trained_folds:
        simulated = keep_simulated(work, tower, on_progress)
        if simulated is None:
            raise ConfigError("the stage 'rewards' requires cases; set train_reader.data")
        return simulated, [("simulated", np.arange(len(simulated.labels)), nothing)]
    cases, folds = keep_real(work, tower, on_progress)
    parts = []
    for fold in work.trained_folds:
        rows = taught_rows(work, folds, fold)
        if not len(rows):
            raise ConfigError(
                "the stage 'rewards' requires cases with boxes to learn, found a share of 0; raise "
                "data.labels_share"
            )
        held_out = nothing if fold is None else np.flatnonzero(folds == fold)
        parts.append((work.fold_name(fold), rows, held_out))
    return cases, parts


def _tune_localizer(
    work: Workspace,
    name: str,
    cases: KeptCases,
    rows: Rows,
    held_out: Rows,
    resume: bool,
    on_progress: OnProgress,
) -> None:
    """Tune one; `held_out.json` tells the mean localization reward of held-out cases."""
    folder, task = work.tuned(name), work.task
    localizer = load_localizer(work.localizer(name))
    policy = LocalizerPolicy(localizer)
    cases = see_cases(localizer, cases, on_progress=on_progress)
    classes = class_set(task.labels, task.empty_labels)
    rows, held_out = (rewarded_rows(cases, each, classes.empty) for each in (rows, held_out))
    watched = ViewQueries(cases, held_out).unchanged()
    before = greedy_localization(policy, watched, classes) if len(held_out) else None
    tune_localizer(
        localizer,
        ViewQueries(cases, rows),
        classes,
        work.config.train_rewards,
        folder,
        resume=resume,
        on_progress=on_progress,
    )
    after = greedy_localization(policy, watched, classes) if len(held_out) else None
    with added_files(folder) as beside:
        localizer.save_pretrained(beside)
    figures = {"cases": len(held_out), "before": before, "after": after}
    write_file(folder / HELD_OUT_FILE, json.dumps(figures) + "\n")
