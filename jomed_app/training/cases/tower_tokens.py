"""Images of a case table through the embedded reader's tower, once, and kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from jomed_app.models.reader.packed import PackedReader
from jomed_app.models.retriever.embedded import RetrieverProjections
from jomed_app.models.towers.tokens import TokenShape, pool_tokens
from jomed_app.progress import OnProgress
from jomed_app.training.cases.image_set import ImageSet
from jomed_app.training.cases.kept_features import Views, keep_tokens
from jomed_app.training.run.loop import no_progress
from jomed_app.types import Head


def encode_corpus_tokens(
    reader: PackedReader,
    images: ImageSet,
    folder: Path | None = None,
    *,
    batch_size: int = 16,
    on_progress: OnProgress = no_progress,
) -> Tensor:
    """Tokens (N, T, C) of every image, bf16; candidates are read from these.

    Args:
        reader: its tower stays as it is.
        images: letterboxed.
        folder: where tokens are kept on disk; None keeps them in memory.
        batch_size: images at a time.
        on_progress: called after every batch.
    """
    return keep_views(
        reader, images, Views(), folder, batch_size=batch_size, on_progress=on_progress
    ).tokens[0]


@dataclass(frozen=True, slots=True)
class KeptViews:
    """Tokens of V views per image, the first one unchanged.

    Attributes:
        tokens: (V, N, T, C) bf16.
        boxes: (V, N, 4) XYXY on the unit square, NaN for none.
    """

    tokens: Tensor
    boxes: Tensor


def keep_views(
    reader: PackedReader,
    images: ImageSet,
    views: Views,
    folder: Path | None = None,
    *,
    batch_size: int = 16,
    on_progress: OnProgress = no_progress,
) -> KeptViews:
    """Let the reader's tower see every image in every view once."""
    kept = keep_tokens(
        reader.tower, images, views, folder, batch_size=batch_size, on_progress=on_progress
    )
    return KeptViews(*kept)


@torch.inference_mode()
def embed_tokens(
    projections: RetrieverProjections, tokens: Tensor, shape: TokenShape, head: Head = "image"
) -> NDArray[np.float32]:
    """Unit retriever rows (N, D) of images by their tokens."""
    return projections.embed_features(pool_tokens(tokens, shape), head).numpy()
