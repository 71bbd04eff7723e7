"""The embedded reader learns: packed sequences, random views of the queries, boxes told along.

Ours: blocks of one query are packed behind it, so that the query is computed once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from jomed_app.boxes import Box
from jomed_app.errors import BoxError
from jomed_app.models.reader.packed import PackedReader
from jomed_app.training.cases.augment import random_view
from jomed_app.training.cases.image_set import ImageSet
from jomed_app.training.cases.tower_tokens import KeptViews
from jomed_app.training.reader.sampling import PlannedQuery, RowSampler, to_block
from jomed_app.training.reader.step import answer_step_loss
from jomed_app.training.run.device import training_device


class PackedLearner:
    """The embedded reader with adapters (`models.adapters.attach_lora`); satisfies `Learner`.

    Args:
        reader: its vision tower stays frozen.
        images: the case table.
        corpus_tokens: (N, T, C) tokens of the same table, unaugmented, for candidates.
        label_smoothing: of the answer tokens that are not locations, in [0, 1).
        kept: views of the case table that queries are drawn from; None sees each query in a fresh
            view, through the tower.
    """

    def __init__(
        self,
        reader: PackedReader,
        images: ImageSet,
        corpus_tokens: Tensor,
        label_smoothing: float,
        kept: KeptViews | None = None,
    ) -> None:
        self.reader = reader
        self.images = images
        self.corpus_tokens = corpus_tokens
        self.label_smoothing = label_smoothing
        self.kept = kept
        self.device = training_device()
        self._location_ids = set(reader.location_ids.tolist())

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        """Adapters, projector and embeddings, as the reader's whole model."""
        return {"reader": self.reader.model}

    def learn(self) -> None:
        """Make it learn, but for the tower."""
        self.reader.model.train()
        self.reader.model.model.vision_tower.eval().requires_grad_(False)

    def rest(self) -> None:
        """Make it read."""
        self.reader.model.eval()

    def step_loss(
        self, rows: NDArray[np.int64], sampler: RowSampler, rng: np.random.Generator
    ) -> Mapping[str, Tensor]:
        """Weighted mean over the answers of all blocks; see `Learner`."""
        reader = self.reader
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        see = (
            _kept_view(self.kept, rows)
            if self.kept
            else _fresh_view(reader, self.images, rows, self.device)
        )
        boxes, seen = see(generator)
        planned = [
            sampler.plan(int(row), _box(boxes[place]), rng) for place, row in enumerate(rows)
        ]
        blocks = [
            [
                to_block(
                    each, one.question, sampler.records, reader.prompts, self._location_ids, rng
                )
                for each in one.blocks
            ]
            for one in planned
        ]

        def features() -> list[Tensor]:
            return _features_in_order(reader, seen(), self.corpus_tokens, planned)

        shown = [reader.prompts.query(one.question) for one in planned]
        return answer_step_loss(reader, shown, blocks, features, self.label_smoothing)


See = Callable[[torch.Generator], tuple[Tensor, Callable[[], Tensor]]]
"""A step's (B, 4) boxes, and its (B, T, C) tokens once they are asked for, under autocast."""


def _kept_view(kept: KeptViews, rows: NDArray[np.int64]) -> See:
    """See each query in one of its kept views."""

    def see(generator: torch.Generator) -> tuple[Tensor, Callable[[], Tensor]]:
        view = torch.randint(len(kept.boxes), (len(rows),), generator=generator)
        return kept.boxes[view, rows], lambda: kept.tokens[view, rows]

    return see


def _fresh_view(
    reader: PackedReader, images: ImageSet, rows: NDArray[np.int64], device: torch.device
) -> See:
    """See each query in a new view, through the tower."""

    def see(generator: torch.Generator) -> tuple[Tensor, Callable[[], Tensor]]:
        view = random_view(images.pixel_values(rows.tolist()), images.boxes[rows], generator)

        @torch.no_grad()
        def tokens() -> Tensor:
            seen: Tensor = reader.tower(view.pixel_values.to(device)).last_hidden_state
            return seen

        return view.boxes, tokens

    return see


def _box(values: Tensor) -> Box | None:
    if torch.isnan(values).any():
        return None
    try:
        return Box(*values.tolist())
    except BoxError:
        return None


def _features_in_order(
    reader: PackedReader, seen: Tensor, corpus_tokens: Tensor, planned: Sequence[PlannedQuery]
) -> list[Tensor]:
    """Projected tokens in the order in which the packed sequences show their images."""
    project = reader.model.model.multi_modal_projector
    weight = project.linear_1.weight
    queries = project(seen.to(weight.device, weight.dtype))
    rows = [
        block.candidate for one in planned for block in one.blocks if block.candidate is not None
    ]
    unique, places = np.unique(np.array(rows, dtype=np.int64), return_inverse=True)
    shown = corpus_tokens[unique].to(queries.device, weight.dtype)
    candidates = reader.pool_features(project(shown))
    features: list[Tensor] = []
    taken = 0
    for place, one in enumerate(planned):
        features.append(queries[place])
        for block in one.blocks:
            if block.candidate is not None:
                features.append(candidates[places[taken]])
                taken += 1
    return features
