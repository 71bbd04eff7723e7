"""A retriever over any dual encoder of transformers: CLIP, SigLIP or SigLIP2.

Source: arXiv:2508.17394 retrieves with jina-clip-v1. Ours: that model is no class of transformers
and wants timm, so SigLIP2 or MedSigLIP stands in its place. Both towers are frozen; a query head
for each search, which starts at zero, moves the query in the space that images and passages share.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from transformers import (
    AutoImageProcessor,
    AutoModel,
    AutoTokenizer,
    BaseImageProcessor,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from jomed_app.config.backbones import RetrieverBackbone
from jomed_app.errors import ConfigError
from jomed_app.models.foreign.faults import files_of, require_whole
from jomed_app.models.foreign.processors import resized_not_cropped
from jomed_app.models.memory import memory_of
from jomed_app.models.placement import place
from jomed_app.models.retriever.kept_heads import load_query_heads
from jomed_app.models.retriever.query_heads import HEADS, can_move, mixed_query, zero_heads
from jomed_app.models.source import ModelSource
from jomed_app.types import Head

BATCH_SIZE = 32
SIGLIP = ("siglip", "siglip2")
KIND = "a CLIP, SigLIP or SigLIP2 of transformers"


class DualEncoder:
    """Embeds images and passages in one space; satisfies `protocol.Retriever`.

    A view is the unit embedding (1, D) of the query image.

    Args:
        model: frozen, in fp32.
        processor, tokenizer: of the same folder; in place, a crop becomes a resize.
        heads: linear maps (D) -> (D), one a search; None leaves every query where it is.
        query_mix: m in [0, 1], the share of a head in a query.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        processor: BaseImageProcessor,
        tokenizer: PreTrainedTokenizerBase,
        *,
        heads: nn.ModuleDict | None = None,
        query_mix: float = 0.15,
    ) -> None:
        self.model = model.requires_grad_(False).eval()
        self.processor: Any = resized_not_cropped(processor)
        self.tokenizer: Any = tokenizer
        self.max_words = int(model.config.text_config.max_position_embeddings)
        if self._is_siglip:
            self.tokenizer.padding_side = "right"  # as it was trained; SigLIP2's default is left
        self.dim = self._embed_texts(["a"]).shape[-1]
        self.query_heads = zero_heads(self.dim) if heads is None else heads
        self.query_mix = query_mix
        self.fingerprint = self._compute_fingerprint()

    @property
    def name(self) -> str:
        """As transformers names the kind of model."""
        return str(self.model.config.model_type)

    @property
    def _is_siglip(self) -> bool:
        return self.name in SIGLIP

    def _compute_fingerprint(self) -> str:
        """Hash the frozen weights and how images and texts are prepared; no head is part of it."""
        prepared = {
            name: value
            for name, value in sorted(self.processor.to_dict().items())
            if isinstance(value, bool | int | float | str | list | dict)
        }
        digest = hashlib.sha256(f"{prepared} {len(self.tokenizer)}".encode())
        for name, value in sorted(self.model.state_dict().items()):
            flat = value.float().cpu().flatten()
            digest.update(name.encode())
            digest.update(flat.sum(dtype=torch.float64).numpy().tobytes())
            digest.update(flat[::97].to(torch.float16).numpy().tobytes())
        return digest.hexdigest()[:16]

    @torch.inference_mode()
    def _embed_images(self, images: Sequence[NDArray[np.uint8]]) -> Tensor:
        """(N, D) unit rows on the CPU."""
        data = self.processor(
            images=[Image.fromarray(each) for each in images], return_tensors="pt"
        )
        return self._embed(self.model.get_image_features, data)

    @torch.inference_mode()
    def _embed_texts(self, texts: Sequence[str]) -> Tensor:
        """(N, D) unit rows on the CPU.

        SigLIP was trained on texts padded to their full length and without a mask; shorter padding,
        or a mask, gives another vector.
        """
        data = self.tokenizer(
            list(texts),
            padding="max_length" if self._is_siglip else True,
            truncation=True,
            max_length=self.max_words,
            return_tensors="pt",
        )
        if self._is_siglip:
            data = {"input_ids": data["input_ids"]}
        return self._embed(self.model.get_text_features, data)

    def _embed(self, encode: Any, data: Any) -> Tensor:
        known = inspect.signature(encode).parameters
        given = {k: v.to(self.model.device) for k, v in data.items() if k in known}
        with memory_of("retriever.model: take a smaller one"):
            rows: Tensor = encode(**given).pooler_output
        return functional.normalize(rows.float().cpu(), dim=-1)

    @property
    def has_trained_heads(self) -> bool:
        """Whether any query head can move a query."""
        return can_move(self.query_heads, self.query_mix)

    def encode_images(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Unit rows (N, D) of corpus images of any sizes."""
        return _in_batches(self._embed_images, images, self.dim)

    def encode_passages(self, passages: Sequence[str]) -> NDArray[np.float32]:
        """Unit rows (N, D) of passages."""
        return _in_batches(self._embed_texts, passages, self.dim)

    def look(self, image: NDArray[np.uint8], encoding: Any) -> Tensor:
        """The view of a query; the reader has a tower of its own, whose encoding says nothing."""
        return self._embed_images([image])

    def features(self, view: Tensor) -> NDArray[np.float32]:
        """The embedding (1, D) itself, for the small heads of a bundle."""
        return view.numpy().astype(np.float32)

    def embed_query(self, views: Tensor, head: Head) -> Tensor:
        """Views (B, D) -> unit query rows (B, D) of one head, with gradients where they are on."""
        return mixed_query(views, self.query_heads[head], self.query_mix)

    @torch.inference_mode()
    def query_vectors(
        self, view: Tensor, *, trained: bool = True
    ) -> dict[Head, NDArray[np.float32]]:
        """Query vectors (D,) per head of one view; without trained heads it is the view itself."""
        rows = {head: self.embed_query(view, head) if trained else view for head in HEADS}
        return {head: row[0].numpy().astype(np.float32) for head, row in rows.items()}

    def encode_query(
        self, image: NDArray[np.uint8], *, trained: bool = True
    ) -> dict[Head, NDArray[np.float32]]:
        """Query vectors (D,) per head of one image; `trained` as in `query_vectors`."""
        return self.query_vectors(self._embed_images([image]), trained=trained)


def _in_batches(embed: Any, given: Sequence[Any], dim: int) -> NDArray[np.float32]:
    rows = [embed(given[start : start + BATCH_SIZE]) for start in range(0, len(given), BATCH_SIZE)]
    whole = torch.cat(rows) if rows else torch.zeros(0, dim)
    return whole.numpy().astype(np.float32)


def load_dual_encoder(source: ModelSource, settings: RetrieverBackbone) -> DualEncoder:
    """Load a dual encoder, frozen, in fp32.

    Raises:
        ConfigError: if the files hold no such model, or its heads are not its own.
        MemoryShortError: if the weights do not fit.
    """
    where = {"revision": source.revision}

    def part(name: str) -> AbstractContextManager[None]:
        return files_of(source, "retriever", KIND, name)

    with part("weights"), memory_of("the size of retriever.model: take a smaller one"):
        model, info = AutoModel.from_pretrained(
            source.name,
            dtype=torch.float32,
            device_map=place(settings.device).device_map,
            ignore_mismatched_sizes=True,  # they are named by `require_whole`
            output_loading_info=True,
            **where,
        )
    if not hasattr(model, "get_text_features"):
        raise ConfigError(
            f"retriever.model must be {KIND}, '{source.folder.name}' is of the kind "
            f"'{model.config.model_type}', which embeds no texts; name another"
        )
    require_whole(info, source, "retriever")
    with part("image processor"):
        processor = AutoImageProcessor.from_pretrained(source.name, backend="pil", **where)
    with part("tokenizer"):
        tokenizer = AutoTokenizer.from_pretrained(source.name, **where)
    encoder = DualEncoder(model, processor, tokenizer, query_mix=settings.query_mix)
    if settings.heads:
        encoder.query_heads = load_query_heads(
            Path(settings.heads), encoder.dim, encoder.fingerprint
        )
    return encoder
