"""Stage 1, align: the tower and the projections learn which description belongs to which image.

Source: LoGra-Med, arXiv:2410.02615 (graphs of image, description and extended description), beside
the usual contrastive losses; `alignment_loss` holds them all. Ours: every patch token also tells
which of its four cells a lesion covers, so that the tokens still know where things are when the
reader meets them. No label of a real training image takes part: a tower that has seen it makes a
reader that copies the tower.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from jomed_app.config.training import AlignConfig, GraphConfig
from jomed_app.data.records import CaseRecord
from jomed_app.models.number_type import autocast, compute_dtype
from jomed_app.models.retriever.embedded import RetrieverProjections, encode_texts
from jomed_app.models.towers.families import VisionTower
from jomed_app.models.towers.tokens import patch_tokens, pool_tokens
from jomed_app.progress import OnProgress
from jomed_app.training.align.losses import AlignmentLoss
from jomed_app.training.align.triples import extended_texts
from jomed_app.training.cases.augment import random_view, view_batches
from jomed_app.training.cases.image_set import ImageSet
from jomed_app.training.run.device import training_device
from jomed_app.training.run.loop import LoopSettings, no_progress, run_loop

logger = logging.getLogger(__name__)


def occupancy_target(boxes: Tensor, grid: int) -> Tensor:
    """Share of every stride-16 cell that a box covers.

    Args:
        boxes: (B, 4) XYXY on the unit square, NaN for none.
        grid: tokens per side; cells are half as wide.

    Returns:
        (B, grid², 4) in [0, 1]; the four cells of a token in `pixel_unshuffle` order
        (upper left, upper right, lower left, lower right).
    """
    cells = 2 * grid
    edges = torch.arange(cells) / cells
    clean = boxes.nan_to_num(0.0)

    def covered(low: Tensor, high: Tensor) -> Tensor:
        left = torch.maximum(edges[None], low[:, None])
        right = torch.minimum(edges[None] + 1 / cells, high[:, None])
        return (right - left).clamp_min(0) * cells

    across, down = covered(clean[:, 0], clean[:, 2]), covered(clean[:, 1], clean[:, 3])
    share = down[:, :, None] * across[:, None, :]
    return functional.pixel_unshuffle(share[:, None], 2).flatten(2).transpose(1, 2)


class TokenSource(Protocol):
    """Gives patch tokens of chosen cases, with gradient, and where their boxes lie."""

    def __call__(self, rows: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return (B, T, C) tokens and (B, 4) boxes on the unit square, NaN for none."""


class FreshViews:
    """A new random view of every image at every step; the whole tower can learn."""

    def __init__(self, tower: VisionTower, images: ImageSet) -> None:
        self.tower = tower
        self.images = images

    def __call__(self, rows: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """See `TokenSource`."""
        pixels = self.images.pixel_values(rows.tolist())
        view = random_view(pixels, self.images.boxes[rows], generator)
        device = self.tower.device
        with autocast(device):
            tokens: Tensor = self.tower(view.pixel_values.to(device)).last_hidden_state
        return tokens.float(), view.boxes


@dataclass(frozen=True, slots=True)
class ViewMaps:
    """What the tower's last stage starts from, for V views per image, the first one unchanged.

    Attributes:
        kept: what the tower's `before_last` gave, each (V, N, ...) bf16.
        boxes: (V, N, 4) on the unit square, NaN for none.
    """

    kept: tuple[Tensor, ...]
    boxes: Tensor

    def of_images(self, rows: Tensor | NDArray[np.int64] | slice) -> ViewMaps:
        """The maps of some images."""
        return ViewMaps(tuple(each[:, rows] for each in self.kept), self.boxes[:, rows])


class KeptTokens:
    """Tokens of kept views of a tower that does not learn.

    Args:
        tokens: (V, N, T, C) bf16.
        boxes: (V, N, 4) on the unit square, NaN for none.
    """

    def __init__(self, tokens: Tensor, boxes: Tensor) -> None:
        self.tokens = tokens
        self.boxes = boxes

    def __call__(self, rows: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """See `TokenSource`."""
        view = torch.randint(len(self.boxes), (len(rows),), generator=generator)
        tokens = self.tokens[view, rows].float().to(training_device())
        return tokens, self.boxes[view, rows]


class KeptViews:
    """Tokens of kept views; the tower's last stage learns.

    Ours: ten times faster on two cores, where the backward pass of a depthwise convolution is the
    slow part; the earlier stages stay those of ImageNet.

    Args:
        tower: its last stage learns.
        maps: of all images.
    """

    def __init__(self, tower: VisionTower, maps: ViewMaps) -> None:
        self.tower = tower
        self.maps = maps

    def __call__(self, rows: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """See `TokenSource`."""
        view = torch.randint(len(self.maps.boxes), (len(rows),), generator=generator)
        tokens = tokens_of(self.tower, *(each[view, rows] for each in self.maps.kept))
        return tokens, self.maps.boxes[view, rows]


def tokens_of(tower: VisionTower, *kept: Tensor) -> Tensor:
    """Tokens (B, T, C) from what was kept, with gradient into the last stage."""
    device = tower.device
    with autocast(device):
        moved = [each.to(device, compute_dtype()) for each in kept]
        tokens: Tensor = tower.from_last(*moved)
    return tokens.float()


@torch.no_grad()
def keep_views(
    tower: VisionTower,
    images: ImageSet,
    num_views: int,
    seed: int,
    *,
    batch_size: int = 32,
    on_progress: OnProgress = no_progress,
) -> ViewMaps:
    """Compute the maps of a few views per image, the first one unchanged."""
    generator = torch.Generator().manual_seed(seed)
    views, boxes = [], []
    done, total = 0, num_views * len(images.squares)
    for view in range(num_views):
        parts, moved = [], []
        for seen in view_batches(images, view, generator, batch_size):
            with autocast():
                kept = tower.before_last(seen.pixel_values)
            parts.append([each.to(torch.bfloat16) for each in kept])
            moved.append(seen.boxes)
            done += len(seen.boxes)
            on_progress(done, total)
        views.append([torch.cat(part) for part in zip(*parts, strict=True)])
        boxes.append(torch.cat(moved))
    kept_parts = tuple(torch.stack(part) for part in zip(*views, strict=True))
    return ViewMaps(kept_parts, torch.stack(boxes))


def train_align(
    tower: VisionTower,
    projections: RetrieverProjections,
    images: ImageSet,
    passages: Sequence[Tensor],
    config: AlignConfig,
    out: Path,
    *,
    graph: GraphConfig | None = None,
    source: TokenSource | None = None,
    resume: bool = False,
    on_progress: OnProgress = no_progress,
) -> list[dict[str, float]]:
    """Train the tower and both projections in place.

    Args:
        tower: base weights; all of it learns, its last stage or none of it (`config.trained`).
        projections: fresh; image and text projection learn, query heads stay at zero.
        images: the cases.
        passages: descriptions and extended descriptions, each (N, passage_size) encoded.
        config: loss, steps, batch, rate, temperature, seed.
        out: checkpoint folder.
        graph: how graphs are built and matched.
        source: where tokens come from; None draws a fresh view at every step.
        resume: continue from its checkpoint.
        on_progress: called after every step.

    Returns:
        The log of the steps run now.
    """
    torch.manual_seed(config.seed)
    localizer = nn.Linear(tower.config.hidden_size, 4)
    alignment = AlignmentLoss(config, graph or GraphConfig(), projections.config.dim)
    projections.query_heads.requires_grad_(False)
    projections.visual.requires_grad_(False)
    if config.trained != "all":
        tower.requires_grad_(False)
    if config.trained == "last":
        tower.last_stage.requires_grad_(True)
    tower.train(config.trained != "none")
    see = source or FreshViews(tower, images)
    annotated = images.is_annotated()
    device = training_device()

    def step_loss(step: int) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
        rows = torch.randperm(len(images.records), generator=generator)[: config.batch_size]
        tokens, boxes = see(rows, generator)
        pooled = pool_tokens(tokens, tower.config)
        terms: dict[str, Tensor] = alignment(
            projections.embed_features(pooled),
            [projections.embed_passages(wording[rows].to(device)) for wording in passages],
            generator,
        )
        known = annotated[rows]
        place = tokens.new_zeros(())
        if known.any():
            covered = occupancy_target(boxes[known], tower.config.grid).to(device)
            patches = patch_tokens(tokens[known], tower.config)
            place = functional.binary_cross_entropy_with_logits(localizer(patches), covered)
        terms["place"] = place
        terms["loss"] = terms["loss"] + config.localization_weight * place
        return terms

    history = run_loop(
        {
            "tower": tower,
            "projections": projections,
            "localizer": localizer,
            "alignment": alignment,
        },
        step_loss,
        LoopSettings(config.steps, config.lr),
        out,
        resume=resume,
        on_progress=on_progress,
        lr_factors=dict.fromkeys(("projections", "localizer", "alignment"), config.head_lr_factor),
        device=device,
    )
    tower.train(False)
    return history


def encode_wordings(
    encoder: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, records: Sequence[CaseRecord]
) -> list[Tensor]:
    """Encode the descriptions and the extended ones of all cases, (N, passage_size) each."""
    return [
        encode_texts(encoder, tokenizer, [record.passage for record in records]).clone(),
        encode_texts(encoder, tokenizer, extended_texts(records)).clone(),
    ]
