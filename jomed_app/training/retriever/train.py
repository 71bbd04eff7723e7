"""Phase 2 of JOMED: query heads learn which candidates help the frozen reader answer.

Source: arXiv:2508.17394: text head first, then image head, reader and index frozen. Ours: the
reader's answers come from a cache (`answer_cache`); a head is a residual linear map on `f0`, so
training takes seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from jomed_app.config.training import HeadTrainingConfig
from jomed_app.errors import CandidatesIgnoredError
from jomed_app.models.retriever.query_heads import HEADS, MovedQueries
from jomed_app.objectives.jomed.posterior import (
    candidate_log_posterior,
    released_log_posterior,
    retriever_kl_loss,
    retriever_log_prob,
    uniform_log_prior,
)
from jomed_app.progress import OnProgress
from jomed_app.training.retriever.answer_cache import AnswerCache
from jomed_app.training.run.loop import LoopSettings, no_progress, run_loop
from jomed_app.types import Head

TRAINING_ORDER: tuple[Head, ...] = ("text", "image")  # arXiv:2508.17394, authors' code
MIN_VARIANCE = 1e-4  # of the answer's log-likelihood over candidates; below it nothing is taught


@dataclass(frozen=True, slots=True)
class TaughtQueries:
    """Training queries and what the frozen reader answers beside their candidates.

    Attributes:
        features: (Q, F) pooled tower features of every query.
        candidates: (Q, M) rows of the case table, 0 where there is none.
        keep_mask: (Q, M) True where there is one.
        log_prob: (Q, M, C) log p(label | query, candidate), normalized over labels, nats.
        labels: (Q,) true label indexes.
        offsets: (Q, M) added to the inner products: what else a candidate is ranked by; None adds
            nothing.
    """

    features: Tensor
    candidates: Tensor
    keep_mask: Tensor
    log_prob: Tensor
    labels: Tensor
    offsets: Tensor | None = None

    @property
    def gold(self) -> Tensor:
        """(Q, M) log p(true label | query, candidate), nats."""
        index = self.labels[:, None, None].expand(-1, self.log_prob.shape[1], 1)
        return self.log_prob.gather(-1, index)[..., 0]

    @property
    def variance(self) -> float:
        """Variance of `gold` over a query's candidates, averaged over queries; nats²."""
        count = self.keep_mask.sum(-1)
        mean = (self.gold * self.keep_mask).sum(-1) / count
        spread = ((self.gold - mean[:, None]).square() * self.keep_mask).sum(-1) / count
        return float(spread.mean())


def teach_from_cache(
    cache: AnswerCache,
    wanted: Mapping[int, Sequence[int]],
    features: Tensor,
    labels: NDArray[np.intp],
) -> TaughtQueries:
    """Collect the cached answers of training queries.

    Args:
        cache: holds every pair that is wanted.
        wanted: query row -> candidate rows, Q queries.
        features: (N, F) pooled features of all rows.
        labels: (N,) label indexes.
    """
    answers = [cache[query].of(rows) for query, rows in wanted.items()]
    longest, width = max(map(len, answers)), answers[0].shape[-1]
    candidates = torch.zeros(len(answers), longest, dtype=torch.long)
    keep = torch.zeros(len(answers), longest, dtype=torch.bool)
    log_prob = torch.full((len(answers), longest, width), -float(np.log(width)))
    for row, (found, said) in enumerate(zip(wanted.values(), answers, strict=True)):
        candidates[row, : len(found)] = torch.as_tensor(found)
        keep[row, : len(found)] = True
        log_prob[row, : len(found)] = torch.from_numpy(said).log_softmax(-1)
    rows = torch.tensor(list(wanted))
    return TaughtQueries(
        features[rows],
        candidates,
        keep,
        log_prob,
        torch.from_numpy(np.asarray(labels, dtype=np.int64))[rows],
    )


def retriever_loss(
    scores: Tensor, taught: TaughtQueries, rows: Tensor, config: HeadTrainingConfig
) -> Tensor:
    """Loss of one batch by the configured target.

    Args:
        scores: (B, M) inner products of moved queries and candidates.
        taught: what the reader says.
        rows: (B,) positions in `taught`.
        config: target, prior and temperatures.
    """
    keep, log_prob = taught.keep_mask[rows], taught.log_prob[rows]
    said = retriever_log_prob(scores, config.score_temperature, keep)
    prior = said.detach() if config.prior == "retriever" else uniform_log_prior(keep)
    if config.target == "released":
        target = released_log_posterior(log_prob, taught.labels[rows], prior)
    else:
        target = candidate_log_posterior(taught.gold[rows], prior, config.target_temperature)
    return retriever_kl_loss(said, target)


def train_query_heads(
    projections: MovedQueries,
    taught: TaughtQueries,
    corpus: Mapping[Head, Tensor],
    config: HeadTrainingConfig,
    out: Path,
    *,
    resume: bool = False,
    on_progress: OnProgress = no_progress,
    order: Sequence[Head] = TRAINING_ORDER,
) -> dict[Head, list[dict[str, float]]]:
    """Train the text head, then the image head, in place; nothing else moves.

    Args:
        projections: of a frozen retriever; its heads learn, from where they are.
        taught: training queries.
        corpus: head -> (N, D) unit rows of the case table in that head's space, frozen.
        config: the recipe.
        out: checkpoint folder, one folder a head.
        resume: continue from its checkpoints.
        on_progress: called after every step.
        order: the heads that are trained, one after another.

    Returns:
        The log of each head.

    Raises:
        CandidatesIgnoredError: if the reader answers alike beside all candidates.
    """
    if taught.variance < MIN_VARIANCE:
        raise CandidatesIgnoredError(
            f"the answer's log-likelihood must vary over candidates by {MIN_VARIANCE} nats² or "
            f"more, found {taught.variance:.1e}: the reader ignores its candidates; tune it anew"
        )
    projections.query_heads.requires_grad_(False)
    logs: dict[Head, list[dict[str, float]]] = {}
    for head in order:
        logs[head] = _train_head(
            projections, head, taught, corpus[head], config, out / head, resume, on_progress
        )
    return logs


def _train_head(
    projections: MovedQueries,
    head: Head,
    taught: TaughtQueries,
    corpus: Tensor,
    config: HeadTrainingConfig,
    out: Path,
    resume: bool,
    on_progress: OnProgress,
) -> list[dict[str, float]]:
    torch.manual_seed(config.seed)
    learner = _Learner(projections.query_heads[head])
    projections.query_heads[head] = learner
    learner.requires_grad_(True)
    count = len(taught.features)

    def step_loss(step: int) -> Mapping[str, Tensor]:
        rng = np.random.default_rng([config.seed, HEADS.index(head), step])
        rows = torch.from_numpy(rng.permutation(count)[: config.batch_size])
        queries = projections.embed_query(taught.features[rows], head)
        scores = torch.einsum("bd,bmd->bm", queries, corpus[taught.candidates[rows]])
        if taught.offsets is not None:
            scores = scores + taught.offsets[rows]
        return {"loss": retriever_loss(scores, taught, rows, config)}

    settings = LoopSettings(
        config.steps, config.lr, weight_decay=config.weight_decay, checkpoint_every=0
    )
    log = run_loop(
        {head: learner}, step_loss, settings, out, resume=resume, on_progress=on_progress
    )
    projections.query_heads[head] = learner.merged()
    return log


class _Learner(nn.Module):
    """A head while it learns: what it was, plus a change that starts at zero."""

    def __init__(self, start: nn.Module) -> None:
        super().__init__()
        assert isinstance(start, nn.Linear), "a query head is one matrix"
        self.register_buffer("start", start.weight.detach().clone(), persistent=False)
        self.change = nn.Parameter(torch.zeros_like(start.weight))

    def weight(self) -> Tensor:
        return self.get_buffer("start") + self.change

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.weight())

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        weight = self.weight()
        linear = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
        linear.weight.copy_(weight)
        return linear.requires_grad_(False)
