"""The reader: a LLaVA-style model that answers about the query beside one candidate at a time.

Source: arXiv:2508.17394 (one candidate per reading), LLaVA arXiv:2304.08485 (architecture).
Ours: the query part is computed once and its cache shared by all candidates; image features are
handed to the model's own forward (`mm_encoder_outputs`), so a picture is encoded once however
often it is read; a candidate's picture is average-pooled to fewer tokens than the query's.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerBase

from jomed_app.models.forward import call_with_features, pool_grid
from jomed_app.models.rows import RowEncoder, pad_rows
from jomed_app.prompts import location_tokens


@dataclass(frozen=True, slots=True)
class ImageEncoding:
    """One image as the models see it.

    Attributes:
        tokens: (P, C) patch tokens of the vision tower, for the retriever.
        features: (P, D) projected tokens, for the language model.
    """

    tokens: Tensor
    features: Tensor


@dataclass(frozen=True, slots=True)
class CandidateInput:
    """What the reader is shown of a candidate: (P', D) pooled features, label and passage."""

    features: Tensor
    label: str
    passage: str


@dataclass(slots=True)
class Reading:
    """R rows read up to where the next answer token is due.

    Attributes:
        cache: keys and values of everything read.
        keep_mask: (R, T) True where a cached token counts.
        next_position: (R,) position of the next token.
        next_log_prob: (R, V) log-probabilities of the next token, nats.
    """

    cache: DynamicCache
    keep_mask: Tensor
    next_position: Tensor
    next_log_prob: Tensor


class Reader:
    """Reads rows with a transformers image-text-to-text model.

    Args:
        model: takes `mm_encoder_outputs`, as LLaVA does.
        tokenizer: with a chat template and, for boxes, location tokens.
        location_bins: location tokens per axis.
        candidate_pool: factor per axis by which a candidate's image tokens are averaged.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        location_bins: int,
        candidate_pool: int,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.location_bins = location_bins
        self.candidate_pool = candidate_pool
        vision = model.config.vision_config
        self.image_size = int(vision.image_size)
        self.grid = int(vision.grid)
        if self.grid % candidate_pool:
            raise ValueError(
                f"candidate_pool must divide the {self.grid} tokens a side, found {candidate_pool}"
            )
        self.rows = RowEncoder(
            tokenizer,
            image_token_id=int(model.config.image_token_id),
            query_tokens=self.grid**2,
            candidate_tokens=(self.grid // candidate_pool) ** 2,
        )
        self.location_ids = torch.tensor(
            tokenizer.convert_tokens_to_ids(location_tokens(location_bins))
        )

    @property
    def dtype(self) -> torch.dtype:
        """Type of the vision tower's weights."""
        weight: Tensor = next(self.model.model.vision_tower.parameters())
        return weight.dtype

    @torch.inference_mode()
    def encode_pixels(self, pixel_values: Tensor) -> list[ImageEncoding]:
        """Encode (B, 3, S, S) images."""
        output = self.model.get_image_features(  # type: ignore[operator]
            pixel_values=pixel_values.to(self.dtype),
            vision_feature_layer=self.model.config.vision_feature_layer,
            vision_feature_select_strategy=self.model.config.vision_feature_select_strategy,
            return_dict=True,
        )
        return [
            ImageEncoding(tokens, features)
            for tokens, features in zip(output.last_hidden_state, output.pooler_output, strict=True)
        ]

    def pool_features(self, features: Tensor) -> Tensor:
        """Average (..., P, D) features of a candidate to (..., P / pool², D)."""
        return pool_grid(features, self.grid, self.candidate_pool)

    @torch.inference_mode()
    def begin(self, query: ImageEncoding, question: str) -> Reading:
        """Read what all rows share; `next_log_prob` is not meaningful yet."""
        ids = torch.tensor([self.rows.query(question)])
        cache = DynamicCache(config=self.model.config.get_text_config())
        return self._forward(
            cache,
            ids,
            torch.ones_like(ids, dtype=torch.bool),
            torch.arange(ids.shape[1])[None],
            [query.features],
        )

    @torch.inference_mode()
    def read(
        self, start: Reading, candidates: Sequence[CandidateInput], *, with_plain: bool = True
    ) -> Reading:
        """Read every candidate, and (last row) no candidate, on one copy of the shared part."""
        prompts = [self.rows.candidate(each.label, each.passage) for each in candidates]
        if with_plain:
            prompts.append(self.rows.no_candidate())
        batch = pad_rows(prompts, [[] for _ in prompts], self._pad_id)
        cache = copy.deepcopy(start.cache)
        cache.batch_repeat_interleave(len(prompts))
        shared = start.keep_mask.expand(len(prompts), -1)
        return self._forward(
            cache,
            batch.input_ids,
            torch.cat([shared, batch.keep_mask], dim=1),
            batch.position_ids + start.next_position,
            [candidate.features for candidate in candidates],
        )

    @torch.inference_mode()
    def extend(self, reading: Reading, ids: Sequence[int]) -> Reading:
        """Append the same answer tokens to every row; the old reading must not be used again."""
        count = reading.keep_mask.shape[0]
        new = torch.tensor([list(ids)]).expand(count, -1)
        positions = reading.next_position[:, None] + torch.arange(len(ids))[None]
        keep = torch.cat([reading.keep_mask, torch.ones_like(new, dtype=torch.bool)], dim=1)
        return self._forward(reading.cache, new, keep, positions, [])

    @torch.inference_mode()
    def look_ahead(self, reading: Reading, ids: Sequence[int]) -> tuple[Reading, Tensor]:
        """Append several tokens at once; return also (R, len(ids), V) what may follow each, nats.

        The old reading must not be used again; `rewind` takes tokens back that were guessed wrong.
        """
        count = reading.keep_mask.shape[0]
        new = torch.tensor([list(ids)]).expand(count, -1)
        positions = reading.next_position[:, None] + torch.arange(len(ids))[None]
        keep = torch.cat([reading.keep_mask, torch.ones_like(new, dtype=torch.bool)], dim=1)
        logits = self._call(reading.cache, new, keep, positions, [], keep_logits=len(ids))
        log_prob = functional.log_softmax(logits.float(), dim=-1)
        return Reading(reading.cache, keep, positions[:, -1] + 1, log_prob[:, -1]), log_prob

    def rewind(self, reading: Reading, count: int, next_log_prob: Tensor) -> Reading:
        """Take back the last `count` appended tokens; the old reading must not be used again."""
        reading.cache.crop(-count)
        return Reading(
            reading.cache,
            reading.keep_mask[:, : reading.keep_mask.shape[1] - count],
            reading.next_position - count,
            next_log_prob,
        )

    @torch.inference_mode()
    def score_answers(self, reading: Reading, answers: Sequence[Sequence[int]]) -> Tensor:
        """Return (R, O) log p(answer | row), nats, summed over each answer's tokens.

        The cache of what was read is shared by all options; an option's further tokens are read
        only where it has any.

        Raises:
            ValueError: if an option is empty.
        """
        if not all(answers):
            raise ValueError("every answer to score must have at least one token")
        first = reading.next_log_prob[:, [answer[0] for answer in answers]]
        longest = max(len(answer) for answer in answers)
        if longest == 1:
            return first
        rows, options = reading.keep_mask.shape[0], len(answers)
        batch = pad_rows([[0]] * options, [list(answer) for answer in answers], self._pad_id)
        ids, keep = batch.input_ids[:, 1:], batch.keep_mask[:, 1:]
        cache = copy.deepcopy(reading.cache)
        cache.batch_repeat_interleave(options)
        logits = self._call(
            cache,
            ids[:, :-1].repeat(rows, 1),
            torch.cat(
                [reading.keep_mask.repeat_interleave(options, 0), keep[:, :-1].repeat(rows, 1)], 1
            ),
            reading.next_position.repeat_interleave(options)[:, None]
            + torch.arange(longest - 1)[None],
            [],
            keep_logits=longest - 1,
        )
        log_prob = functional.log_softmax(logits.float(), dim=-1)
        following = log_prob.gather(-1, ids[:, 1:].repeat(rows, 1)[..., None])[..., 0]
        later = (following * keep[:, 1:].repeat(rows, 1)).sum(-1)
        return first + later.view(rows, options)

    @property
    def _pad_id(self) -> int:
        return int(self.tokenizer.pad_token_id or 0)

    def _forward(
        self,
        cache: DynamicCache,
        ids: Tensor,
        keep_mask: Tensor,
        positions: Tensor,
        images: Sequence[Tensor],
    ) -> Reading:
        logits = self._call(cache, ids, keep_mask, positions, images, keep_logits=1)
        return Reading(
            cache,
            keep_mask,
            positions[:, -1] + 1,
            functional.log_softmax(logits[:, -1].float(), dim=-1),
        )

    def _call(
        self,
        cache: DynamicCache | None,
        ids: Tensor,
        keep_mask: Tensor,
        positions: Tensor,
        images: Sequence[Tensor],
        keep_logits: int,
    ) -> Tensor:
        return call_with_features(
            self.model, ids, keep_mask, positions, images, keep_logits=keep_logits, cache=cache
        )
