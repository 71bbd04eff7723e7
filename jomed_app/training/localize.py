"""Stage 3, localize: edge distributions from patch tokens; the tower stays as it is.

The tokens of a few random views per image are computed once; then the small localizer trains on
them in minutes. Like the reader it learns on simulated cases first, then per fold on real ones.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from jomed_app.models.localizer import Localizer, LocalizerConfig
from jomed_app.models.reader import Reader
from jomed_app.objectives.edges import edge_loss
from jomed_app.progress import OnProgress
from jomed_app.stage_config import LocalizerTrainingConfig
from jomed_app.training.augment import view_batches
from jomed_app.training.image_set import ImageSet
from jomed_app.training.loop import LoopSettings, no_progress, run_loop
from jomed_app.training.table import ReaderTable
from jomed_app.training.workspace import Workspace


@dataclass(frozen=True, slots=True)
class ViewTokens:
    """Tokens of V views per image, the first one unchanged.

    Attributes:
        tokens: (V, N, P, C) bf16.
        boxes: (V, N, 4) XYXY on the unit square, NaN for none.
    """

    tokens: Tensor
    boxes: Tensor


@torch.inference_mode()
def encode_views(
    reader: Reader, images: ImageSet, num_views: int, seed: int, batch_size: int = 16
) -> ViewTokens:
    """Encode every image unchanged and in `num_views - 1` random views."""
    tower = reader.model.model.vision_tower
    generator = torch.Generator().manual_seed(seed)
    all_tokens, all_boxes = [], []
    for view in range(num_views):
        tokens, boxes = [], []
        for seen in view_batches(images, view, generator, batch_size):
            pixels = seen.pixel_values.to(reader.dtype)
            tokens.append(tower(pixels).last_hidden_state.to(torch.bfloat16))
            boxes.append(seen.boxes)
        all_tokens.append(torch.cat(tokens))
        all_boxes.append(torch.cat(boxes))
    return ViewTokens(torch.stack(all_tokens), torch.stack(all_boxes))


def train_localizer(
    localizer: Localizer,
    views: ViewTokens,
    rows: NDArray[np.int64],
    config: LocalizerTrainingConfig,
    out: Path,
    *,
    steps: int,
    lr: float,
    resume: bool = False,
    on_progress: OnProgress = no_progress,
) -> list[dict[str, float]]:
    """Train in place on some rows of the table.

    Args:
        localizer: fresh, or trained on simulated cases.
        views: tokens and boxes of all rows.
        rows: rows to train on.
        config: batch, seed and weights.
        out: checkpoint folder.
        steps: optimizer steps of this part.
        lr: peak learning rate of this part.
        resume: continue from its checkpoint.
        on_progress: called after every step.

    Returns:
        The log of the steps run now.
    """
    torch.manual_seed(config.seed)
    localizer.train()
    num_views = len(views.tokens)

    def step_loss(step: int) -> Mapping[str, Tensor]:
        rng = np.random.default_rng([config.seed, step])
        chosen = torch.from_numpy(rng.choice(rows, size=min(config.batch_size, len(rows))))
        view = torch.from_numpy(rng.integers(num_views, size=len(chosen)))
        boxes = views.boxes[view, chosen]
        with torch.autocast("cpu", torch.bfloat16):
            edges, presence = localizer(views.tokens[view, chosen].float())
        has_box = ~boxes.isnan().any(-1)
        place = edge_loss(edges[has_box].float(), boxes[has_box], sigma=config.sigma)
        there = functional.binary_cross_entropy_with_logits(presence.float(), has_box.float())
        return {"loss": place + config.presence_weight * there, "place": place, "presence": there}

    history = run_loop(
        {"localizer": localizer},
        step_loss,
        LoopSettings(steps, lr, weight_decay=config.weight_decay, checkpoint_every=200),
        out,
        resume=resume,
        on_progress=on_progress,
    )
    localizer.eval()  # type: ignore[no-untyped-call]
    return history


def localizer_stage(
    work: Workspace,
    reader: Reader,
    table: ReaderTable,
    *,
    resume: bool = False,
    on_progress: OnProgress = no_progress,
) -> None:
    """Train on simulated cases, then one localizer per fold and one on all real cases."""
    config = work.config.train_localizer
    views = encode_views(reader, table.images, config.num_views, config.seed)
    shape = LocalizerConfig(
        token_size=views.tokens.shape[-1], location_bins=work.config.reader.location_bins
    )
    torch.manual_seed(config.seed)
    start = Localizer(shape)
    folder = work.localizer("simulated")
    train_localizer(
        start,
        views,
        table.simulated,
        config,
        folder,
        steps=config.simulated_steps,
        lr=config.lr,
        resume=resume,
        on_progress=on_progress,
    )
    start.save_pretrained(folder)
    for fold in work.trained_folds:
        localizer = copy.deepcopy(start)
        folder = work.localizer(work.fold_name(fold))
        real = table.training_rows(fold)
        rng = np.random.default_rng([config.seed, 13])
        extra = rng.choice(table.simulated, size=min(len(real) // 2, len(table.simulated)))
        train_localizer(
            localizer,
            views,
            np.concatenate([real, extra]),
            config,
            folder,
            steps=config.steps,
            lr=config.lr / 2,
            resume=resume,
            on_progress=on_progress,
        )
        localizer.save_pretrained(folder)
