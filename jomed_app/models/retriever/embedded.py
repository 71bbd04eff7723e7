"""The retriever: one vision tower for images, one passage encoder, a projection each, query heads.

Source: arXiv:2508.17394. The frozen base `f0` embeds corpus images and queries alike; a trainable
copy per head moves the query only: `q_h = (1 - m) f0(x) + m f_h(x)`, so an index built once stays
valid. Ours: `f_h` is `f0` followed by a residual linear map that starts at zero, instead of a full
copy of the tower, and the mixture is renormalized, so at step 0 retrieval equals plain RAG, bit by
bit. Every search can be made both ways: with the heads, or with `f0` alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from transformers import (
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from jomed_app.models.loading import Precision, load_image_text_model, load_text_encoder
from jomed_app.models.pixels import letterbox, to_pixel_values
from jomed_app.models.reader.packed_rows import ImageEncoding
from jomed_app.models.retriever.query_heads import HEADS, can_move, mixed_query
from jomed_app.models.towers.tokens import pool_tokens
from jomed_app.types import Head

FINGERPRINT_FILE = "fingerprint.txt"


class RetrieverConfig(PreTrainedConfig):
    """Shape of the projections.

    Attributes:
        feature_size: width of the tower's pooled tokens.
        passage_size: width of the passage encoder.
        dim: width of an embedding.
        query_mix: m in [0, 1], the share of the trained head in a query.
    """

    model_type = "jomed_retriever"

    feature_size: int = 768
    passage_size: int = 384
    dim: int = 256
    query_mix: float = 0.15


class RetrieverProjections(PreTrainedModel):
    """Everything of the retriever that is not a tower: projections, centering and query heads."""

    config_class = RetrieverConfig
    config: RetrieverConfig
    visual_mean: Tensor

    def __init__(self, config: RetrieverConfig) -> None:
        super().__init__(config)
        self.register_buffer("visual_mean", torch.zeros(config.feature_size))
        self.visual = nn.Linear(config.feature_size, config.dim, bias=False)
        self.image_norm = nn.LayerNorm(config.feature_size)
        self.image = nn.Linear(config.feature_size, config.dim, bias=False)
        self.text = nn.Linear(config.passage_size, config.dim, bias=False)
        self.query_heads = nn.ModuleDict(
            {head: nn.Linear(config.dim, config.dim, bias=False) for head in HEADS}
        )
        self.post_init()  # type: ignore[no-untyped-call]

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            nn.init.orthogonal_(module.weight)
            if any(module is head for head in self.query_heads.values()):
                nn.init.zeros_(module.weight)

    def embed_features(self, features: Tensor, head: Head = "text") -> Tensor:
        """Pooled tower features (B, feature_size) -> unit rows (B, dim): `f0` of one head.

        Ours: the image head compares in the tower's own leading directions (`visual`, fitted
        without labels), the text head in the space aligned with passages.
        """
        if head == "image":
            return functional.normalize(self.visual(features.float() - self.visual_mean), dim=-1)
        return functional.normalize(self.image(self.image_norm(features.float())), dim=-1)

    def embed_passages(self, encoded: Tensor) -> Tensor:
        """Unit passage vectors (B, passage_size) -> unit rows (B, dim)."""
        return functional.normalize(self.text(encoded.float()), dim=-1)

    def embed_query(self, features: Tensor, head: Head) -> Tensor:
        """Pooled tower features (B, feature_size) -> unit query rows (B, dim) of one head."""
        base = self.embed_features(features, head)
        return mixed_query(base, self.query_heads[head], self.config.query_mix)

    @property
    def has_trained_heads(self) -> bool:
        """Whether any head can move a query: it is not all zero, and m is not 0."""
        return can_move(self.query_heads, self.config.query_mix)


class PassageEncoder:
    """A frozen text encoder and its tokenizer, read when the first passage is encoded.

    Ours: an app that only searches never reads a passage, and starts faster without the encoder.

    Args:
        load: returns both.
    """

    def __init__(self, load: Callable[[], tuple[PreTrainedModel, PreTrainedTokenizerBase]]) -> None:
        self._load = load

    @cached_property
    def _pair(self) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
        return self._load()

    @property
    def model(self) -> PreTrainedModel:
        """The encoder."""
        return self._pair[0]

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """Its tokenizer."""
        return self._pair[1]


class EmbeddedRetriever:
    """Embeds queries, corpus images and passages; satisfies `protocol.Retriever`.

    Its tower is the reader's: a view is the tokens (1, T, C) that the reader encoded.

    Attributes:
        fingerprint: short hash of every weight that an index depends on (towers, projections);
            query heads are not part of it. A bundle keeps it, under its own seal.
        dim: width of an embedding.
    """

    name = "embedded"

    def __init__(
        self,
        tower: PreTrainedModel,
        passages: PassageEncoder,
        projections: RetrieverProjections,
        fingerprint: str | None = None,
    ) -> None:
        self.tower = tower
        self.passages = passages
        self.projections = projections
        self.dim = int(projections.config.dim)
        self.image_size = int(tower.config.image_size)
        self.fingerprint = fingerprint or self.compute_fingerprint()

    def compute_fingerprint(self) -> str:
        """Hash every weight that an index depends on; the passage encoder is read for it."""
        digest = hashlib.sha256(f"{self.image_size} {len(self.passages.tokenizer)}".encode())
        for module in (self.tower, self.passages.model, self.projections):
            for name, value in sorted(module.state_dict().items()):
                if not name.startswith("query_heads"):
                    digest.update(name.encode())
                    digest.update(value.float().sum(dtype=torch.float64).numpy().tobytes())
                    digest.update(value.float().flatten()[::97].to(torch.float16).numpy().tobytes())
        return digest.hexdigest()[:16]

    @torch.inference_mode()
    def tower_tokens(self, images: Sequence[NDArray[np.uint8]]) -> Tensor:
        """Tokens (B, T, C) of (rows, columns, 3) RGB images, letterboxed here."""
        squares = [letterbox(image, self.image_size) for image in images]
        pixels = to_pixel_values(squares).to(next(self.tower.parameters()).dtype)
        tokens: Tensor = self.tower(pixels).last_hidden_state
        return tokens

    @property
    def has_trained_heads(self) -> bool:
        """Whether any query head can move a query."""
        return self.projections.has_trained_heads

    def look(self, image: NDArray[np.uint8], encoding: ImageEncoding) -> Tensor:
        """The view of a query: the tokens that the reader, whose tower it is, has seen."""
        return encoding.tokens[None]

    @torch.inference_mode()
    def features(self, tokens: Tensor) -> NDArray[np.float32]:
        """Pooled tower features (B, F) from tokens (B, T, C), for the small heads."""
        return pool_tokens(tokens, self.tower.config).numpy().astype(np.float32)

    @torch.inference_mode()
    def encode_tokens(self, tokens: Tensor) -> NDArray[np.float32]:
        """Unit rows (B, dim) of images whose tokens are known: the frozen `f0`."""
        features = pool_tokens(tokens, self.tower.config)
        return self.projections.embed_features(features, "image").numpy().astype(np.float32)

    def encode_images(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Unit rows (N, dim) of corpus images."""
        return self.encode_tokens(self.tower_tokens(images))

    @torch.inference_mode()
    def encode_passages(self, passages: Sequence[str]) -> NDArray[np.float32]:
        """Unit rows (N, dim) of passages."""
        encoded = encode_texts(self.passages.model, self.passages.tokenizer, passages)
        return self.projections.embed_passages(encoded).numpy().astype(np.float32)

    @torch.inference_mode()
    def query_vectors(
        self, view: Tensor, *, trained: bool = True
    ) -> dict[Head, NDArray[np.float32]]:
        """Query vectors (dim,) per head of one view.

        Args:
            view: tokens (1, T, C) of the tower.
            trained: whether the query heads move the query; without them it is `f0` of each head.
        """
        features = pool_tokens(view, self.tower.config)
        embed = self.projections.embed_query if trained else self.projections.embed_features
        return {head: embed(features, head)[0].numpy().astype(np.float32) for head in HEADS}

    def encode_query(
        self, image: NDArray[np.uint8], *, trained: bool = True
    ) -> dict[Head, NDArray[np.float32]]:
        """Query vectors (dim,) per head of one image; `trained` as in `query_vectors`."""
        return self.query_vectors(self.tower_tokens([image]), trained=trained)


@torch.inference_mode()
def encode_texts(
    encoder: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    batch_size: int = 64,
) -> Tensor:
    """Mean-pooled, unit passage vectors (N, passage_size), padding masked."""
    rows: list[Tensor] = []
    for start in range(0, len(texts), batch_size):
        batch: Any = tokenizer(
            list(texts[start : start + batch_size]),
            padding=True,
            truncation=True,
            max_length=256,
            return_tensors="pt",
        )
        hidden = encoder(
            input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]
        ).last_hidden_state.float()
        keep = batch["attention_mask"].unsqueeze(-1).float()
        rows.append(functional.normalize((hidden * keep).sum(1) / keep.sum(1), dim=-1))
    return torch.cat(rows) if rows else torch.zeros(0, int(encoder.config.hidden_size))


def load_retriever(folder: Path, tower: PreTrainedModel | None = None) -> EmbeddedRetriever:
    """Load a retriever; its tower is the reader's, given or read from beside it.

    Args:
        folder: a bundle's `retriever` folder: `projections`, `passages`.
        tower: the vision tower of the loaded reader, or None to load only that from the bundle.
    """
    if tower is None:
        reader = load_image_text_model(folder.parent / "reader", Precision.BF16)
        tower = reader.model.vision_tower
    stored = folder / FINGERPRINT_FILE
    return EmbeddedRetriever(
        tower,
        PassageEncoder(
            lambda: (
                load_text_encoder(folder / "passages"),
                AutoTokenizer.from_pretrained(folder / "passages"),
            )
        ),
        RetrieverProjections.from_pretrained(folder / "projections").train(False),
        stored.read_text(encoding="utf-8").strip() if stored.is_file() else None,
    )


def store_fingerprint(folder: Path) -> str:
    """Write the fingerprint of a bundle's retriever beside it, so that loading need not compute it.

    Args:
        folder: a bundle's `retriever` folder, whole, in a bundle that is not sealed yet.
    """
    (folder / FINGERPRINT_FILE).unlink(missing_ok=True)
    fingerprint = load_retriever(folder).fingerprint
    (folder / FINGERPRINT_FILE).write_text(fingerprint + "\n", encoding="utf-8")
    return fingerprint
