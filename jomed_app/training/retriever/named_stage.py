"""The stage `retriever` of models that a file names: any reader that scores answers teaches."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jomed_app.config.backbones import BackbonesConfig, ServedBackbonesConfig
from jomed_app.data.records import CaseRecord
from jomed_app.data.tasks import Task
from jomed_app.inference.case_reader import CaseReader
from jomed_app.models.backbones import named_backbones
from jomed_app.models.retriever.dual_encoder import DualEncoder
from jomed_app.models.retriever.kept_heads import save_query_heads
from jomed_app.progress import OnProgress
from jomed_app.training.cases.case_corpus import CaseCorpus
from jomed_app.training.cases.labeled import load_teaching
from jomed_app.training.retriever.answer_cache import AnswerCache, fill_cache
from jomed_app.training.retriever.train import teach_from_cache, train_query_heads
from jomed_app.training.run.loop import no_progress
from jomed_app.training.run.named_run import RETRIEVER, NamedRun
from jomed_app.types import Head

logger = logging.getLogger(__name__)

ANSWERS_FILE = "answers.npz"


def named_retriever_stage(
    config: BackbonesConfig | ServedBackbonesConfig,
    out: Path,
    *,
    resume: bool = False,
    on_progress: OnProgress = no_progress,
) -> None:
    """Read candidates with the frozen reader, train the text head, then the image head.

    Writes `retriever/heads` and `tuned.toml`. The reader is asked for scores alone, so that a
    server teaches as well; its answers are kept and not asked for twice.

    Raises:
        ConfigError: if no cases are named, or a model does not fit.
        MemoryShortError: if the weights or the rows do not fit.
        RemoteError: if a server reads and does not answer.
        CandidatesIgnoredError: if the reader answers alike beside all candidates.
    """
    run = NamedRun(out, config)
    settings, task = config.train_retriever, run.task
    folder, records = load_teaching(run)
    start = run.tuned
    start = start.replaced(retriever=config.retriever)  # from the file's own heads, or from none
    loaded = named_backbones(start)
    retriever = loaded.retriever
    assert isinstance(retriever, DualEncoder), "a file of backbones names a dual encoder"
    loaded.reader.prepare()
    corpus = CaseCorpus(folder, records, retriever, loaded.reader, on_progress)
    counts: dict[Head, int] = {"image": settings.num_image, "text": settings.num_text}
    wanted = {row: corpus.nearest(row, counts, retriever) for row in range(len(records))}
    key = _key(loaded.reader_hash, task, records)
    cache = AnswerCache(run.folder(RETRIEVER) / ANSWERS_FILE, key)
    cases = CaseReader(loaded.reader, task)
    fill_cache(cache, cases, wanted, corpus.query, corpus.candidate, on_progress=on_progress)
    labels = np.array([task.labels.index(record.label) for record in records], np.intp)
    taught = teach_from_cache(cache, wanted, corpus.vectors["image"], labels)
    logger.info("variance of the answer over candidates: %.4f nats²", taught.variance)
    train_query_heads(
        retriever,
        taught,
        corpus.vectors,
        settings,
        run.folder(RETRIEVER),
        resume=resume,
        on_progress=on_progress,
    )
    save_query_heads(retriever.query_heads, run.heads, retriever.fingerprint)
    run.keep_tuned()


def _key(reader_hash: str, task: Task, records: Sequence[CaseRecord]) -> str:
    """Names the reader, what is asked, and the cases by their rows."""
    digest = hashlib.sha256(f"{reader_hash} {task.question} {task.labels}\n".encode())
    for record in records:
        digest.update(f"{record.case_id} {record.label} {record.passage}\n".encode())
    return digest.hexdigest()[:16]
