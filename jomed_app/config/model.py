"""Configuration of what is trained and searched: tower, reader, retriever, index, simulation."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from jomed_app.config.section import Section


class TowerConfig(Section):
    """The vision tower that retriever and reader share.

    Attributes:
        family: the general-purpose weights it starts from.
        image_size: side of the square model input, px: a multiple of 32 (EfficientNet-Lite0) or of
            14 (DINOv2-S).
        tokens: patch tokens per side; 0 leaves as many as the tower makes. Only DINOv2-S averages
            to fewer.
        storage: how a bundle holds its linear layers; EfficientNet-Lite0 has none.
    """

    family: Literal["efficientnet_lite0", "dinov2_small"] = "efficientnet_lite0"
    image_size: int = Field(default=256, ge=28, le=1024)
    tokens: int = Field(default=0, ge=0, le=64)
    storage: Literal["bf16", "nf4"] = "bf16"


class ReaderConfig(Section):
    """The vision-language model that reads one candidate at a time beside the query.

    Attributes:
        num_layers: language layers kept, counted from the first; 0 keeps all.
        vocabulary_size: tokens kept after pruning; 0 keeps all.
        lora_rank: rank of the adapters on all linear layers; alpha is twice the rank.
        location_bins: location tokens per axis, boxes are written with them.
        candidate_pool: a candidate's patch tokens are average-pooled by this factor per axis.
    """

    num_layers: int = Field(default=12, ge=0, le=128)  # ours: well under a second on 2 cores
    vocabulary_size: int = Field(default=8192, ge=0)  # ours: the embedding table is 28 M of 135 M
    lora_rank: int = Field(default=16, ge=1, le=256)  # ours; the authors' framework default is 8
    location_bins: int = Field(default=64, ge=8, le=1024)  # ours
    candidate_pool: int = Field(default=2, ge=1, le=8)  # ours: short rows pay back in every answer

    @property
    def lora_alpha(self) -> int:
        """Twice the rank: the default of the framework that the authors trained with."""
        return 2 * self.lora_rank


class RetrieverConfig(Section):
    """Dual encoder: a frozen base for the index and a trainable head per search.

    Attributes:
        dim: length of every embedding, unit norm.
        query_mix: m in q_h = (1 - m) f0(x) + m f_h(x), in [0, 1].
        vocabulary_size: word pieces of the passage encoder kept, the most frequent ones.
    """

    dim: int = Field(default=256, ge=8, le=4096)  # ours; the paper's encoder has 768
    query_mix: float = Field(default=0.15, ge=0.0, le=1.0)  # arXiv:2508.17394, authors' code
    vocabulary_size: int = Field(default=12000, ge=2000)  # ours: half of it is never met


class IndexConfig(Section):
    """How much of what is searched comes back.

    Attributes:
        k_per_head: hits per head; both heads' hits are merged, duplicates once.
    """

    k_per_head: int = Field(default=2, ge=1, le=50)  # arXiv:2508.17394, authors' code: 2 + 2


class SimulationConfig(Section):
    """The simulated breast ultrasound corpus.

    Attributes:
        index_count, align_count, reader_count: cases of the three corpora, which share none: the
            embedded index, the stage `align` and the stage `reader`.
        seed: first seed of the index; the other corpora start 100,000 and 200,000 later.
        size_px: longer side of each image, px.
    """

    index_count: int = Field(default=480, ge=2, le=100_000)
    align_count: int = Field(default=1400, ge=2, le=100_000)
    reader_count: int = Field(default=1200, ge=2, le=100_000)
    seed: int = Field(default=0, ge=0)
    size_px: int = Field(default=480, ge=64, le=2048)
