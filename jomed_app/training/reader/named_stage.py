"""The stage `reader` of models that a file names: the reader learns answers beside candidates."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from jomed_app.config.backbones import BackbonesConfig, ServedBackbonesConfig
from jomed_app.models.backbones import named_retriever
from jomed_app.progress import OnProgress
from jomed_app.training.cases.case_corpus import CaseCorpus
from jomed_app.training.cases.labeled import load_teaching
from jomed_app.training.reader.sampling import RowSampler
from jomed_app.training.reader.train import build_pool, train_reader
from jomed_app.training.reader.vlm_learner import VlmLearner, label_alone
from jomed_app.training.run.loop import LoopSettings, no_progress
from jomed_app.training.run.named_run import NamedRun
from jomed_app.training.run.workspace import groups_of

STAGE = "reader"


def named_reader_stage(
    config: BackbonesConfig | ServedBackbonesConfig,
    out: Path,
    *,
    resume: bool = False,
    on_progress: OnProgress = no_progress,
) -> list[dict[str, float]]:
    """Tune the reader's adapter; writes `reader/adapter` and `tuned.toml`.

    Returns:
        The log of the steps run now.

    Raises:
        ConfigError: if a server reads, no cases are named, or a model does not fit.
        MemoryShortError: if the weights or a step's rows do not fit.
    """
    run = NamedRun(out, config)
    settings = run.reader_config.train_reader
    folder, records = load_teaching(run)
    tuned = run.tunable_reader(STAGE)
    corpus = CaseCorpus(folder, records, named_retriever(config), tuned.reader, on_progress)
    rows = np.arange(len(records))
    pool = build_pool(corpus.vectors["image"].numpy(), groups_of(records), rows, rows)
    shares = {int(row): {"cases": 1.0} for row in rows}
    sampler = RowSampler(label_alone(run.task), records, {"cases": pool}, shares, settings)
    history = train_reader(
        VlmLearner(tuned, corpus),
        sampler,
        rows,
        LoopSettings(
            settings.steps,
            settings.lr,
            warmup=settings.warmup,
            weight_decay=settings.weight_decay,
            checkpoint_every=settings.checkpoint_every,
            batches_per_step=settings.batches_per_step,
        ),
        run.folder(STAGE),
        batch_size=settings.batch_size,
        seed=settings.seed,
        resume=resume,
        on_progress=on_progress,
    )
    if history or not run.adapter(STAGE).is_dir():
        run.keep_adapter(STAGE, tuned)
    return history
