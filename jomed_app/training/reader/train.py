"""Phase 1 of JOMED, reader: tuned on retrieved pairs, one candidate at a time, answer tokens only.

Source: arXiv:2508.17394, stage 1 (K = 4 candidates a query, LoRA on all linear layers).
Ours: see `sampling` for the kinds of rows. One loop for every reader that learns: the embedded one
(`packed_learner`) and any vision-language model (`vlm_learner`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from jomed_app.progress import OnProgress
from jomed_app.training.reader.sampling import Pool, RowSampler
from jomed_app.training.run.loop import LoopSettings, no_progress, run_loop


def build_pool(
    embeddings: NDArray[np.float32],
    groups: Sequence[str],
    queries: NDArray[np.int64],
    members: NDArray[np.int64],
) -> Pool:
    """Rank the members for every query by inner product, the query's own group left out."""
    scores = embeddings[queries] @ embeddings[members].T
    names = np.asarray(groups)
    neighbors = {}
    for place, query in enumerate(queries):
        order = members[np.argsort(-scores[place], kind="stable")]
        neighbors[int(query)] = order[names[order] != names[query]]
    return Pool(members, neighbors)


class Learner(Protocol):
    """A reader that learns: what the loop asks of it, whichever model stands behind it."""

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        """What learns, by a name for its checkpoint; only `requires_grad` counts."""

    @property
    def device(self) -> torch.device | None:
        """Where the modules learn; None leaves them where they lie."""

    def learn(self) -> None:
        """Make it learn."""

    def rest(self) -> None:
        """Make it read."""

    def step_loss(
        self, rows: NDArray[np.int64], sampler: RowSampler, rng: np.random.Generator
    ) -> Mapping[str, Tensor]:
        """Draw and read the rows of some queries.

        Args:
            rows: queries of the case table.
            sampler: draws what stands beside each.
            rng: of this batch.

        Returns:
            "loss", nats per unit of weight, with gradients; what else is named is logged.
        """


def train_reader(
    learner: Learner,
    sampler: RowSampler,
    queries: NDArray[np.int64],
    settings: LoopSettings,
    out: Path,
    *,
    batch_size: int,
    seed: int,
    resume: bool = False,
    on_progress: OnProgress = no_progress,
) -> list[dict[str, float]]:
    """Tune a reader, in place.

    Args:
        learner: reads rows and tells their loss.
        sampler: draws the rows.
        queries: rows of the case table that are asked about.
        settings: steps and rates.
        out: checkpoint folder.
        batch_size: queries per batch.
        seed: of the batches.
        resume: continue from its checkpoint.
        on_progress: called after every step.

    Returns:
        The log of the steps run now.
    """
    torch.manual_seed(seed)
    learner.learn()

    def step_loss(step: int) -> Mapping[str, Tensor]:
        rng = np.random.default_rng([seed, step])
        return learner.step_loss(epoch_rows(queries, step, batch_size, seed), sampler, rng)

    history = run_loop(
        learner.modules,
        step_loss,
        settings,
        out,
        resume=resume,
        on_progress=on_progress,
        device=learner.device,
    )
    learner.rest()
    return history


def epoch_rows(
    queries: NDArray[np.int64], step: int, batch_size: int, seed: int
) -> NDArray[np.int64]:
    """Rows of a step: every query once an epoch, order anew each epoch, by seed and step alone."""
    size = min(batch_size, len(queries))
    per_epoch = max(1, len(queries) // size)
    epoch, place = divmod(step, per_epoch)
    order = np.random.default_rng([seed, 7, epoch]).permutation(queries)
    return order[place * size : (place + 1) * size]
