"""The stage `reader`: tune on simulated cases, then fold by fold on real ones; then localizers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from jomed_app.config.load import JomedConfig
from jomed_app.models.reader.packed import Reader
from jomed_app.progress import OnProgress
from jomed_app.training.cases.table import ReaderTable, load_reader_table
from jomed_app.training.localizer.stage import localizer_stage
from jomed_app.training.reader.sampling import Pool, RowSampler
from jomed_app.training.reader.train import build_pool, train_reader
from jomed_app.training.run.loop import no_progress
from jomed_app.training.run.workspace import Workspace, groups_of


def tune_on_simulated(
    work: Workspace,
    reader: Reader,
    table: ReaderTable,
    *,
    resume: bool = False,
    on_progress: OnProgress = no_progress,
) -> None:
    """Teach reading, describing and locating on simulated pairs; all folds start from here."""
    settings = work.config.train_reader
    config = settings.replaced(steps=settings.simulated_steps)
    pool = _pool(table, None, table.simulated, table.simulated)
    shares = {int(row): {"simulated": 1.0} for row in table.simulated}
    bins = work.config.reader.location_bins
    sampler = RowSampler(work.task, table.records, {"simulated": pool}, shares, config, bins)
    train_reader(
        reader,
        table.images,
        table.tokens,
        sampler,
        table.simulated,
        config,
        work.reader("simulated"),
        resume=resume,
        on_progress=on_progress,
    )


def tune_on_mixture(
    work: Workspace,
    reader: Reader,
    table: ReaderTable,
    held_out: int | None,
    *,
    out: Path | None = None,
    resume: bool = False,
    on_progress: OnProgress = no_progress,
) -> list[dict[str, float]]:
    """Go on with real cases, one fold held out (None: all of them), and some simulated ones.

    Args:
        work: the run.
        reader: tuned in place.
        table: the cases.
        held_out: fold that is not trained on.
        out: checkpoint folder; None takes the fold's own in the run.
        resume: continue from its checkpoint.
        on_progress: called after every step.

    Returns:
        The log of the steps run now.
    """
    settings = work.config.train_reader
    config = settings.replaced(lr=settings.lr / 2)
    real = table.training_rows(held_out)
    pools = {"real": _pool(table, held_out, real, real)}
    share = 1.0
    if len(table.simulated):
        share = settings.real_candidate_share
        queries = np.concatenate([real, table.simulated])
        pools["simulated"] = _pool(table, held_out, queries, table.simulated)
    shares: dict[int, Mapping[str, float]] = {
        int(row): {"real": share} | ({"simulated": 1 - share} if share < 1 else {}) for row in real
    }
    shares |= {int(row): {"simulated": 1.0} for row in table.simulated}
    count = round(len(real) * (1 / settings.real_share - 1)) if settings.real_share else 0
    rng = np.random.default_rng([settings.seed, 11])
    extra = rng.choice(table.simulated, size=min(count, len(table.simulated)), replace=False)
    bins = work.config.reader.location_bins
    sampler = RowSampler(work.task, table.records, pools, shares, config, bins)
    return train_reader(
        reader,
        table.images,
        table.tokens,
        sampler,
        np.concatenate([real, extra]),
        config,
        out or work.reader(work.fold_name(held_out)),
        resume=resume,
        on_progress=on_progress,
    )


def reader_stage(
    config: JomedConfig, out: Path, *, resume: bool = False, on_progress: OnProgress = no_progress
) -> None:
    """Tune reader and localizer: simulated cases, then the real ones fold by fold.

    What an older reader of a fold said, and the query heads that learned from it, are removed, so
    that it is read again.
    """
    work = Workspace(out, config)
    work.prepare_base()
    work.simulate("reader", on_progress)
    reader, _ = work.trainable_reader()
    table = load_reader_table(work, reader)
    if len(table.simulated):
        tune_on_simulated(work, reader, table, resume=resume, on_progress=on_progress)
    for fold in work.trained_folds:
        reader, _ = work.starting_reader()
        if tune_on_mixture(work, reader, table, fold, resume=resume, on_progress=on_progress):
            work.forget_answers(work.fold_name(fold))
    if work.task.has_boxes:
        localizer_stage(work, resume=resume, on_progress=on_progress)


def _pool(
    table: ReaderTable,
    held_out: int | None,
    queries: NDArray[np.int64],
    members: NDArray[np.int64],
) -> Pool:
    with torch.no_grad():
        embeddings = table.fold_projections(held_out).embed_features(table.features, "image")
    return build_pool(embeddings.numpy(), groups_of(table.records), queries, members)
