"""The stage `retriever`: read candidates with every fold's frozen reader, then train the heads."""

from __future__ import annotations

import copy
import hashlib
import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jomed_app.config.load import JomedConfig
from jomed_app.config.training import HeadTrainingConfig
from jomed_app.models.retriever.embedded import RetrieverProjections
from jomed_app.progress import OnProgress
from jomed_app.storage.durable import added_files
from jomed_app.training.cases.fold_corpus import FoldCorpus
from jomed_app.training.cases.table import ReaderTable, load_reader_table
from jomed_app.training.cases.table_reader import TableReader, frozen_reader
from jomed_app.training.retriever.answer_cache import AnswerCache, fill_cache
from jomed_app.training.retriever.train import teach_from_cache, train_query_heads
from jomed_app.training.run.checkpoint import CHECKPOINT_FILE
from jomed_app.training.run.loop import no_progress
from jomed_app.training.run.workspace import Workspace
from jomed_app.types import Head

logger = logging.getLogger(__name__)

ANSWERS_FILE = "answers.npz"


def open_cache(work: Workspace, name: str, table: ReaderTable) -> AnswerCache:
    """The cache of one frozen reader beside one table of cases."""
    digest = hashlib.sha256((work.chosen_reader(name) / CHECKPOINT_FILE).read_bytes())
    digest.update(work.task.question.encode())
    for record in table.records:
        digest.update(f"{record.case_id} {record.label} {record.passage}\n".encode())
    return AnswerCache(work.retriever(name) / ANSWERS_FILE, digest.hexdigest()[:16])


def retriever_stage(
    config: JomedConfig, out: Path, *, resume: bool = False, on_progress: OnProgress = no_progress
) -> None:
    """Train the query heads of every fold, several seeds each; writes `retriever/<fold>/seed<n>`.

    Nothing of the readers and of the index changes. What was read of a fold with heads of an
    earlier run is removed, so that it is read again with the new ones.
    """
    work = Workspace(out, config)
    table: ReaderTable | None = None
    for fold in work.trained_folds:
        name = work.fold_name(fold)
        reader = frozen_reader(work, name)
        table = table or load_reader_table(work, reader, with_index=True)
        candidates = config.train_retriever.candidates
        corpus = FoldCorpus(table, fold, table.searched_rows(fold, candidates))
        cache = open_cache(work, name, table)
        work.forget_joint_readings(name)
        for seed in range(config.train_retriever.num_seeds):
            settings = config.train_retriever.replaced(seed=config.train_retriever.seed + seed)
            heads = teach_heads(
                TableReader(reader, work.task, table),
                corpus,
                cache,
                table.taught_rows(fold),
                settings,
                work.retriever(name) / f"seed{seed}",
                resume=resume,
                on_progress=on_progress,
            )
            with added_files(work.retriever(name) / f"seed{seed}") as beside:
                heads.save_pretrained(beside / "projections")


def teach_heads(
    reader: TableReader,
    corpus: FoldCorpus,
    cache: AnswerCache,
    queries: NDArray[np.int64],
    config: HeadTrainingConfig,
    out: Path,
    *,
    resume: bool = False,
    on_progress: OnProgress = no_progress,
) -> RetrieverProjections:
    """Read what is missing beside each query's nearest candidates, then train both heads.

    Args:
        reader: frozen.
        corpus: what is searched.
        cache: grows by what is read.
        queries: rows that teach.
        config: the recipe.
        out: checkpoint folder.
        resume: continue from its checkpoints.
        on_progress: called after every query read and every step.

    Returns:
        A copy of the corpus's projections with trained heads.
    """
    table = corpus.table
    labels = np.array([reader.cases.task.labels.index(r.label) for r in table.records], np.intp)
    heads = copy.deepcopy(corpus.projections)
    heads.requires_grad_(False)
    counts: dict[Head, int] = {"image": config.num_image, "text": config.num_text}
    wanted = {int(query): corpus.nearest(heads, int(query), counts) for query in queries}
    fill_cache(cache, reader.cases, wanted, reader.query, reader.candidate, on_progress=on_progress)
    taught = teach_from_cache(cache, wanted, table.features, labels)
    logger.info("variance of the answer over candidates: %.4f nats²", taught.variance)
    train_query_heads(
        heads, taught, corpus.vectors, config, out, resume=resume, on_progress=on_progress
    )
    return heads
