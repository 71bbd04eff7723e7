"""Stage 2, reader: tuned on retrieved pairs, one candidate at a time, answer tokens only.

Source: arXiv:2508.17394, stage 1 (K = 4 candidates a query, LoRA on all linear layers).
Ours: blocks of one query are packed behind it; see `sampling` for the kinds of blocks.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from jomed_app.boxes import Box
from jomed_app.config.training import ReaderTrainingConfig
from jomed_app.errors import BoxError
from jomed_app.models.pixels import to_pixel_values
from jomed_app.models.reader.feature_forward import pool_grid
from jomed_app.models.reader.packed import Reader
from jomed_app.models.retriever.embedded import Head, RetrieverProjections, pool_tokens
from jomed_app.progress import OnProgress
from jomed_app.training.cases.augment import random_view
from jomed_app.training.cases.image_set import ImageSet
from jomed_app.training.reader.sampling import PlannedQuery, Pool, RowSampler, to_block
from jomed_app.training.reader.step import answer_step_loss
from jomed_app.training.run.device import training_device
from jomed_app.training.run.loop import LoopSettings, no_progress, run_loop

logger = logging.getLogger(__name__)


@torch.inference_mode()
def encode_corpus_tokens(reader: Reader, images: ImageSet, batch_size: int = 16) -> Tensor:
    """Patch tokens (N, P, C) of every image, bf16; candidates are read from these."""
    tower = reader.model.model.vision_tower
    rows = []
    for start in range(0, len(images.squares), batch_size):
        pixels = to_pixel_values(images.squares[start : start + batch_size]).to(reader.dtype)
        rows.append(tower(pixels).last_hidden_state.to(torch.bfloat16))
    return torch.cat(rows)


@torch.inference_mode()
def embed_tokens(
    projections: RetrieverProjections, tokens: Tensor, position_dim: int, head: Head = "image"
) -> NDArray[np.float32]:
    """Unit retriever rows (N, D) of images by their patch tokens."""
    return projections.embed_features(pool_tokens(tokens, position_dim), head).numpy()


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


def train_reader(
    reader: Reader,
    images: ImageSet,
    corpus_tokens: Tensor,
    sampler: RowSampler,
    queries: NDArray[np.int64],
    config: ReaderTrainingConfig,
    out: Path,
    *,
    resume: bool = False,
    on_progress: OnProgress = no_progress,
) -> list[dict[str, float]]:
    """Tune a reader whose model carries adapters (`models.loading.attach_lora`), in place.

    Args:
        reader: its vision tower stays frozen.
        images: the case table.
        corpus_tokens: (N, P, C) tokens of the same table, unaugmented, for candidates.
        sampler: draws the blocks.
        queries: rows that are asked about.
        config: steps, rates and shares.
        out: checkpoint folder.
        resume: continue from its checkpoint.
        on_progress: called after every step.

    Returns:
        The log of the steps run now.
    """
    torch.manual_seed(config.seed)
    model = reader.model
    model.train()
    model.model.vision_tower.eval().requires_grad_(False)
    location_ids = set(reader.location_ids.tolist())
    device = training_device()

    def step_loss(step: int) -> Mapping[str, Tensor]:
        rng = np.random.default_rng([config.seed, step])
        rows = _epoch_rows(queries, step, config)
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        view = random_view(images.pixel_values(rows.tolist()), images.boxes[rows], generator)
        planned = [
            sampler.plan(int(row), _box(view.boxes[place]), rng) for place, row in enumerate(rows)
        ]
        blocks = [
            [
                to_block(each, one.question, sampler.records, reader.prompts, location_ids, rng)
                for each in one.blocks
            ]
            for one in planned
        ]

        def features() -> list[Tensor]:
            with torch.no_grad():
                seen = model.model.vision_tower(view.pixel_values.to(device)).last_hidden_state
            return _features_in_order(reader, seen, corpus_tokens, planned)

        shown = [reader.prompts.query(one.question) for one in planned]
        return answer_step_loss(reader, shown, blocks, features, config.label_smoothing)

    history = run_loop(
        {"reader": model},
        step_loss,
        LoopSettings(config.steps, config.lr, weight_decay=config.weight_decay),
        out,
        resume=resume,
        on_progress=on_progress,
        device=device,
    )
    model.eval()
    return history


def _epoch_rows(
    queries: NDArray[np.int64], step: int, config: ReaderTrainingConfig
) -> NDArray[np.int64]:
    """Rows of a step: every query once an epoch, order anew each epoch, by seed and step alone."""
    size = min(config.batch_size, len(queries))
    per_epoch = max(1, len(queries) // size)
    epoch, place = divmod(step, per_epoch)
    order = np.random.default_rng([config.seed, 7, epoch]).permutation(queries)
    return order[place * size : (place + 1) * size]


def _box(values: Tensor) -> Box | None:
    if torch.isnan(values).any():
        return None
    try:
        return Box(*values.tolist())
    except BoxError:
        return None


def _features_in_order(
    reader: Reader, seen: Tensor, corpus_tokens: Tensor, planned: Sequence[PlannedQuery]
) -> list[Tensor]:
    """Projected tokens in the order in which the packed sequences show their images."""
    project = reader.model.model.multi_modal_projector
    dtype = project.linear_1.weight.dtype
    queries = project(seen)
    rows = [
        block.candidate for one in planned for block in one.blocks if block.candidate is not None
    ]
    unique, places = np.unique(np.array(rows, dtype=np.int64), return_inverse=True)
    candidates = pool_grid(
        project(corpus_tokens[unique].to(seen.device, dtype)), reader.grid, reader.candidate_pool
    )
    features: list[Tensor] = []
    taken = 0
    for place, one in enumerate(planned):
        features.append(queries[place])
        for block in one.blocks:
            if block.candidate is not None:
                features.append(candidates[places[taken]])
                taken += 1
    return features
