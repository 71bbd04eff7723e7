"""Stage 1, align: the tower and the projections learn which passage belongs to which image.

Ours: beside the contrastive loss, every patch token tells which of its four cells a lesion covers,
so that the tokens still know where things are when the reader meets them. Only simulated cases
take part: a tower that has seen the labels of real training images makes a reader that copies it.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from jomed_app.config import AlignConfig
from jomed_app.data.records import CaseRecord
from jomed_app.imaging import read_image
from jomed_app.models.pixels import Letterbox, letterbox, to_pixel_values
from jomed_app.models.retriever import RetrieverProjections, encode_texts, pool_tokens
from jomed_app.models.vision_tower import EfficientNetLiteModel
from jomed_app.objectives.contrastive import info_nce_loss
from jomed_app.progress import OnProgress
from jomed_app.training.augment import random_view
from jomed_app.training.loop import LoopSettings, no_progress, run_loop

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ImageSet:
    """Cases with their images in memory.

    Attributes:
        records: the cases.
        squares: letterboxed (S, S, 3) uint8 image per case.
        boxes: (N, 4) largest box of each case on the unit square, NaN for none.
    """

    records: Sequence[CaseRecord]
    squares: Sequence[NDArray[np.uint8]]
    boxes: Tensor

    def pixel_values(self, indices: Sequence[int]) -> Tensor:
        """(B, 3, S, S) of the cases at these positions."""
        return to_pixel_values([self.squares[index] for index in indices])


def load_images(folder: Path, records: Sequence[CaseRecord], side: int) -> ImageSet:
    """Read and letterbox the images of a corpus."""
    squares: list[NDArray[np.uint8]] = []
    boxes = torch.full((len(records), 4), torch.nan)
    for row, record in enumerate(records):
        image = read_image(folder / record.image).model_input
        squares.append(letterbox(image, side))
        if record.boxes:
            place = Letterbox(image.shape[0], image.shape[1], side)
            boxes[row] = torch.tensor(place.to_unit(record.box_list[0]).as_tuple())
    return ImageSet(records, squares, boxes)


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


def train_align(
    tower: EfficientNetLiteModel,
    projections: RetrieverProjections,
    images: ImageSet,
    passages: Sequence[Tensor],
    config: AlignConfig,
    out: Path,
    *,
    resume: bool = False,
    on_progress: OnProgress = no_progress,
) -> list[dict[str, float]]:
    """Train the tower and both projections in place.

    Args:
        tower: base weights; all of it learns.
        projections: fresh; image and text projection learn, query heads stay at zero.
        images: the cases.
        passages: wordings, each (N, passage_size) encoded; one is drawn per case and step.
        config: steps, batch, rate, temperature, seed.
        out: checkpoint folder.
        resume: continue from its checkpoint.
        on_progress: called after every step.

    Returns:
        The log of the steps run now.
    """
    torch.manual_seed(config.seed)
    localizer = nn.Linear(tower.config.hidden_size, 4)
    projections.query_heads.requires_grad_(False)
    projections.visual.requires_grad_(False)
    tower.train()

    def step_loss(step: int) -> Mapping[str, Tensor]:
        generator = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
        rows = torch.randperm(len(images.records), generator=generator)[: config.batch_size]
        view = random_view(images.pixel_values(rows.tolist()), images.boxes[rows], generator)
        wording = int(torch.randint(len(passages), (1,), generator=generator))
        with torch.autocast("cpu", torch.bfloat16):
            tokens = tower(view.pixel_values).last_hidden_state.float()
        pooled = pool_tokens(tokens, tower.config.position_dim)
        contrast = info_nce_loss(
            projections.embed_features(pooled),
            projections.embed_passages(passages[wording][rows]),
            config.temperature,
        )
        place = functional.binary_cross_entropy_with_logits(
            localizer(tokens), occupancy_target(view.boxes, tower.config.grid)
        )
        return {
            "loss": contrast + config.localization_weight * place,
            "contrast": contrast,
            "place": place,
        }

    history = run_loop(
        {"tower": tower, "projections": projections, "localizer": localizer},
        step_loss,
        LoopSettings(config.steps, config.lr),
        out,
        resume=resume,
        on_progress=on_progress,
        lr_factors={"projections": config.head_lr_factor, "localizer": config.head_lr_factor},
    )
    tower.train(False)
    return history


VISUAL_COMPONENTS = 128
VISUAL_SHRINKAGE = 3.0  # ours: whitening held back, so that small directions stay small


@torch.no_grad()
def fit_visual(projections: RetrieverProjections, features: Tensor) -> RetrieverProjections:
    """Fit the image head's space on pooled features, without labels; return a copy.

    Standardize, keep the leading principal components, whiten them in part.

    Args:
        projections: left as they are.
        features: (N, feature_size) of images like those that will be searched.
    """
    from sklearn.decomposition import PCA

    fitted = copy.deepcopy(projections)
    mean, scale = features.mean(0), features.std(0) + 1e-6
    count = min(VISUAL_COMPONENTS, len(features) - 1, fitted.config.dim)
    analysis = PCA(count, svd_solver="full").fit(((features - mean) / scale).numpy())
    variance = analysis.explained_variance_
    gain = 1 / np.sqrt(variance + VISUAL_SHRINKAGE * variance.mean())
    rows = torch.from_numpy(analysis.components_ * gain[:, None]).float() / scale
    fitted.visual.weight.zero_()
    fitted.visual.weight[:count] = rows
    fitted.visual_mean.copy_(mean)
    return fitted


def encode_wordings(
    encoder: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, records: Sequence[CaseRecord]
) -> list[Tensor]:
    """Encode the passages and the extended passages of all cases, (N, passage_size) each."""
    return [
        encode_texts(encoder, tokenizer, [record.passage for record in records]).clone(),
        encode_texts(
            encoder, tokenizer, [record.extended_passage or record.passage for record in records]
        ).clone(),
    ]
