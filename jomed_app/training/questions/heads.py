"""Phase 2 on free answers: the image head learns which images help the frozen reader to answer.

Source: arXiv:2508.17394, phase 2; there a true answer is one of the labels, and an open one is
refused by the released code. Ours: the reader tells the log-likelihood of the true answer's whole
text beside each candidate, which is all that the posterior over candidates needs. What a question's
likeness adds to a candidate's score stays as it is.
"""

from __future__ import annotations

import copy
import logging
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from jomed_app.config.load import JomedConfig
from jomed_app.config.training import HeadTrainingConfig, QuestionTrainingConfig
from jomed_app.data.wording.questions import taught_answer
from jomed_app.errors import ConfigError
from jomed_app.models.reader.packed import PackedReader
from jomed_app.models.retriever.embedded import RetrieverProjections
from jomed_app.models.towers.tokens import pool_tokens
from jomed_app.progress import OnProgress
from jomed_app.storage.durable import added_files
from jomed_app.training.questions.table import QuestionTable
from jomed_app.training.questions.train import CHECKPOINT_NAME
from jomed_app.training.retriever.train import TaughtQueries, train_query_heads
from jomed_app.training.run.loop import no_progress
from jomed_app.training.run.workspace import Workspace

logger = logging.getLogger(__name__)


def pooled_features(reader: PackedReader, table: QuestionTable) -> Tensor:
    """(N, F) features that the retriever's heads see of every image."""
    return pool_tokens(table.tokens.float(), reader.tower.config)


@torch.inference_mode()
def read_true_answers(
    reader: PackedReader,
    table: QuestionTable,
    config: QuestionTrainingConfig,
    features: Tensor,
    *,
    on_progress: OnProgress = no_progress,
) -> TaughtQueries:
    """Read training questions beside their candidates, and note how likely the true answer is.

    Args:
        reader: frozen.
        table: its training images are asked about, and are the candidates.
        config: how many questions and candidates.
        features: (N, F) of all images.
        on_progress: called after every question.

    Raises:
        ConfigError: if no question has so many candidates.
    """
    rng = np.random.default_rng([config.seed, 11])
    asked = [(int(row), one) for row in table.training for one in table.records[row].questions]
    chosen = rng.permutation(len(asked))[: config.taught_questions]
    rows, found, gold, offsets = [], [], [], []
    for done, place in enumerate(chosen, start=1):
        row, one = asked[int(place)]
        near, scores = table.near(row, one.question)
        near, scores = near[: config.taught_candidates], scores[: config.taught_candidates]
        if len(near) == config.taught_candidates:
            candidates = [table.candidate(reader, int(each), one.question) for each in near]
            reading = reader.read(table.encoding(reader, row), one.question, candidates)
            answer = reader.prompts.answer(f" {taught_answer(one.answer)}", complete=True)
            said = reader.score_answers(reading, [answer])[:-1, 0]
            rows.append(row)
            found.append(torch.from_numpy(near))
            gold.append(said.float())
            alike = table.embeddings[near] @ table.embeddings[row]
            offsets.append(torch.from_numpy((scores - alike).astype(np.float32)))
        on_progress(done, len(chosen))
    if not found:
        raise ConfigError(
            "train_questions.taught_candidates must be found beside a training image, "
            f"{config.taught_candidates} stand beside none; lower it or add cases"
        )
    candidates_of = torch.stack(found)
    return TaughtQueries(
        features[torch.tensor(rows)],
        candidates_of,
        torch.ones_like(candidates_of, dtype=torch.bool),
        torch.stack(gold)[..., None],
        torch.zeros(len(rows), dtype=torch.long),
        torch.stack(offsets),
    )


def teach_image_head(
    projections: RetrieverProjections,
    taught: TaughtQueries,
    table: QuestionTable,
    config: HeadTrainingConfig,
    out: Path,
    *,
    resume: bool = False,
) -> RetrieverProjections:
    """Train a copy's image head.

    Args:
        projections: stay as they are.
        taught: what the frozen reader said.
        table: whose embeddings are searched.
        config: the recipe; a target that compares labels has nothing to compare here.
        out: checkpoint folder.
        resume: continue from its checkpoint.
    """
    logger.info("variance of the answer over candidates: %.4f nats²", taught.variance)
    heads = copy.deepcopy(projections)
    heads.requires_grad_(False)
    corpus = torch.from_numpy(table.embeddings)
    train_query_heads(
        heads, taught, {"image": corpus}, config, out, resume=resume, order=("image",)
    )
    return heads


def teach_heads_by_questions(
    config: JomedConfig,
    out: Path,
    reader: PackedReader,
    table: QuestionTable,
    *,
    resume: bool = False,
    on_progress: OnProgress = no_progress,
) -> NDArray[np.float32] | None:
    """Read the configured training questions, train the image head; writes `retriever/questions`.

    Returns:
        (N, D) query vectors of all images by the trained head; None if no question is to teach.

    Raises:
        ConfigError: as `read_true_answers`.
        CandidatesIgnoredError: if the reader answers alike beside all candidates.
    """
    settings, work = config.train_questions, Workspace(out, config)
    if not settings.taught_questions:
        return None
    features = pooled_features(reader, table)
    taught = read_true_answers(reader, table, settings, features, on_progress=on_progress)
    folder = work.retriever(CHECKPOINT_NAME)
    heads = teach_image_head(
        work.projections(), taught, table, config.train_retriever, folder, resume=resume
    )
    with added_files(folder) as beside:
        heads.save_pretrained(beside / "projections")
    with torch.no_grad():
        moved: NDArray[np.float32] = heads.embed_query(features, "image").numpy()
    return moved
