"""The stage `reader`: tune on simulated cases, then fold by fold on real ones; then localizers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from jomed_app.config.load import JomedConfig
from jomed_app.config.training import ReaderTrainingConfig
from jomed_app.models.reader.packed import PackedReader
from jomed_app.progress import OnProgress
from jomed_app.training.cases.kept_features import Views
from jomed_app.training.cases.table import ReaderTable, load_reader_table
from jomed_app.training.cases.tower_tokens import KeptViews, keep_views
from jomed_app.training.localizer.stage import localizer_stage
from jomed_app.training.reader.packed_learner import PackedLearner
from jomed_app.training.reader.sampling import Pool, RowSampler
from jomed_app.training.reader.spelling import spell_labels
from jomed_app.training.reader.train import build_pool, train_reader
from jomed_app.training.run.loop import LoopSettings, no_progress
from jomed_app.training.run.workspace import Workspace, groups_of


def keep_table_views(
    work: Workspace,
    reader: PackedReader,
    table: ReaderTable,
    on_progress: OnProgress = no_progress,
) -> KeptViews | None:
    """The views that queries are drawn from, kept on disk; None where each is seen afresh."""
    settings = work.config.train_reader
    if not settings.views:
        return None
    views = Views(settings.views, settings.seed)
    return keep_views(reader, table.images, views, work.features, on_progress=on_progress)


def tune_on_simulated(
    work: Workspace,
    reader: PackedReader,
    table: ReaderTable,
    *,
    kept: KeptViews | None = None,
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
    _train(
        reader,
        table,
        sampler,
        table.simulated,
        config,
        work.reader("simulated"),
        kept=kept,
        resume=resume,
        on_progress=on_progress,
    )


def tune_on_mixture(
    work: Workspace,
    reader: PackedReader,
    table: ReaderTable,
    held_out: int | None,
    *,
    out: Path | None = None,
    kept: KeptViews | None = None,
    resume: bool = False,
    on_progress: OnProgress = no_progress,
) -> list[dict[str, float]]:
    """Go on with real cases, one fold held out (None: all of them), and some simulated ones.

    Only cases whose labels may be learned are asked about or stand beside a query; where there are
    none, the reader goes on with simulated ones.

    Args:
        work: the run.
        reader: tuned in place.
        table: the cases.
        held_out: fold that is not trained on.
        out: checkpoint folder; None takes the fold's own in the run.
        kept: of `keep_table_views`.
        resume: continue from its checkpoint.
        on_progress: called after every step.

    Returns:
        The log of the steps run now.
    """
    settings = work.config.train_reader
    config = settings.replaced(lr=settings.lr / 2)
    real = table.labeled_rows(held_out)
    pools = {"real": _pool(table, held_out, real, real)} if len(real) else {}
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
    count = count if len(real) else len(table.simulated)
    rng = np.random.default_rng([settings.seed, 11])
    extra = rng.choice(table.simulated, size=min(count, len(table.simulated)), replace=False)
    bins = work.config.reader.location_bins
    sampler = RowSampler(work.task, table.records, pools, shares, config, bins)
    return _train(
        reader,
        table,
        sampler,
        np.concatenate([real, extra]),
        config,
        out or work.reader(work.fold_name(held_out)),
        kept=kept,
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
    kept = keep_table_views(work, reader, table, on_progress)
    if len(table.simulated):
        tune_on_simulated(work, reader, table, kept=kept, resume=resume, on_progress=on_progress)
    for fold in work.trained_folds:
        reader, _ = work.starting_reader()
        if tune_on_mixture(
            work, reader, table, fold, kept=kept, resume=resume, on_progress=on_progress
        ):
            work.forget_answers(work.fold_name(fold))
    if work.task.has_boxes:
        localizer_stage(work, resume=resume, on_progress=on_progress)


def _train(
    reader: PackedReader,
    table: ReaderTable,
    sampler: RowSampler,
    queries: NDArray[np.int64],
    config: ReaderTrainingConfig,
    out: Path,
    *,
    kept: KeptViews | None,
    resume: bool,
    on_progress: OnProgress,
) -> list[dict[str, float]]:
    """Tune the embedded reader on rows of the table; return its log."""
    if config.spelling_steps:
        spell_labels(
            reader,
            kept.tokens if kept else table.tokens[None],
            queries,
            [table.records[int(row)].label for row in queries],
            sampler.task.labels,
            out / "spelling",
            steps=config.spelling_steps,
            seed=config.seed,
            resume=resume,
            on_progress=on_progress,
        )
    return train_reader(
        PackedLearner(reader, table.images, table.tokens, config.label_smoothing, kept),
        sampler,
        queries,
        LoopSettings(config.steps, config.lr, weight_decay=config.weight_decay),
        out,
        batch_size=config.batch_size,
        seed=config.seed,
        resume=resume,
        on_progress=on_progress,
    )


def _pool(
    table: ReaderTable,
    held_out: int | None,
    queries: NDArray[np.int64],
    members: NDArray[np.int64],
) -> Pool:
    with torch.no_grad():
        embeddings = table.fold_projections(held_out).embed_features(table.features, "image")
    return build_pool(embeddings.numpy(), groups_of(table.records), queries, members)
