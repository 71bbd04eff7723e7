"""Rows packed in one sequence: what a LLaVA-style model makes of a query beside each candidate.

Source: arXiv:2508.17394 (one candidate per reading), LLaVA arXiv:2304.08485 (architecture).
Ours: all rows of a query are packed into one sequence, the query part first and once, each row
blind to the others, so that one forward reads every candidate; image features are handed to the
model's own forward (`mm_encoder_outputs`), so a picture is encoded once however often it is read; a
candidate's picture is average-pooled to fewer tokens than the query's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerBase

from jomed_app.data.wording.prompts import location_tokens
from jomed_app.models.loading import prepare_for_answers
from jomed_app.models.memory import memory_of
from jomed_app.models.number_type import dtype_name
from jomed_app.models.pixels import letterbox, to_pixel_values
from jomed_app.models.reader.feature_forward import LOWER, call_with_features, pool_grid
from jomed_app.models.reader.prompt_encoder import PromptEncoder
from jomed_app.models.reader.protocol import CandidateInput
from jomed_app.models.towers.families import VisionTower


@dataclass(frozen=True, slots=True)
class ImageEncoding:
    """One image as the models see it.

    Attributes:
        tokens: (T, C) tokens of the vision tower, for the retriever; on the CPU.
        features: (T, D) the same projected, for the language model.
    """

    tokens: Tensor
    features: Tensor


@dataclass(slots=True)
class Reading:
    """R rows read up to where the next answer token is due, packed in one sequence of T tokens.

    Attributes:
        cache: keys and values of everything read.
        sees: (R, T) True where a row may look at a cached token.
        next_position: (R,) position of each row's next token.
        next_log_prob: (R, V) log-probabilities of the next token, nats.
    """

    cache: DynamicCache
    sees: Tensor
    next_position: Tensor
    next_log_prob: Tensor


class PackedRows:
    """Reads rows with a transformers image-text-to-text model, and scores what may follow them.

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
        self.num_leading = int(vision.num_leading)
        if self.grid % candidate_pool:
            raise ValueError(
                f"candidate_pool must divide the {self.grid} tokens a side, found {candidate_pool}"
            )
        self.prompts = PromptEncoder(
            tokenizer,
            image_token_id=int(model.config.image_token_id),
            query_tokens=self.num_leading + self.grid**2,
            candidate_tokens=self.num_leading + (self.grid // candidate_pool) ** 2,
        )
        self.location_ids = torch.tensor(
            tokenizer.convert_tokens_to_ids(location_tokens(location_bins))
        )

    @property
    def dtype(self) -> torch.dtype:
        """Type of the vision tower's weights."""
        weight: Tensor = next(self.tower.parameters())
        return weight.dtype

    @property
    def tower(self) -> VisionTower:
        """The vision tower, which a bundle's retriever and localizer share."""
        return cast(VisionTower, self.model.model.vision_tower)

    @property
    def name(self) -> str:
        """As transformers names the kind of model."""
        return str(self.model.config.model_type)

    @property
    def number_type(self) -> str:
        """In which matrix products run: bf16 or fp32."""
        return dtype_name(self.dtype)

    def prepare(self) -> None:
        """Lay the weights out for answers; the model can then neither be trained nor saved."""
        prepare_for_answers(self.model)

    def encode(self, images: Sequence[NDArray[np.uint8]]) -> list[ImageEncoding]:
        """Letterbox and encode (rows, columns, 3) uint8 images."""
        squares = [letterbox(image, self.image_size) for image in images]
        return self.encode_pixels(to_pixel_values(squares))

    def candidate(self, encoding: ImageEncoding, label: str, passage: str) -> CandidateInput:
        """A known case as it is read: its image tokens pooled."""
        return CandidateInput(self.pool_features(encoding.features), label, passage)

    def num_bytes(self, candidate: CandidateInput) -> int:
        """Memory that a candidate's pooled tokens take."""
        features: Tensor = candidate.features
        return features.numel() * features.element_size()

    @torch.inference_mode()
    def encode_pixels(self, pixel_values: Tensor) -> list[ImageEncoding]:
        """Encode (B, 3, S, S) images, one at a time.

        Ours: in a batch, an image's bits depend on how many stand beside it, so the same case would
        get one answer where candidates were encoded ahead and another where they were not.

        Raises:
            MemoryShortError: if an image does not fit.
        """
        pixels = pixel_values.to(self.model.device, self.dtype)
        with memory_of(LOWER):
            return [self._encode_one(each) for each in pixels.split(1)]

    def _encode_one(self, pixel_values: Tensor) -> ImageEncoding:
        output = self.model.get_image_features(  # type: ignore[operator]
            pixel_values=pixel_values,
            vision_feature_layer=self.model.config.vision_feature_layer,
            vision_feature_select_strategy=self.model.config.vision_feature_select_strategy,
            return_dict=True,
        )
        return ImageEncoding(output.last_hidden_state[0].cpu(), output.pooler_output[0])

    def pool_features(self, features: Tensor) -> Tensor:
        """Average a candidate's patch features; those of its leading tokens stay.

        Args:
            features: (..., L + P, D), L leading tokens first.

        Returns:
            (..., L + P / pool², D).
        """
        leading, patches = features.tensor_split([self.num_leading], dim=-2)
        pooled = pool_grid(patches, self.grid, self.candidate_pool)
        return torch.cat([leading, pooled], dim=-2) if self.num_leading else pooled

    @torch.inference_mode()
    def read(
        self,
        query: ImageEncoding,
        question: str,
        candidates: Sequence[CandidateInput],
        *,
        with_plain: bool = True,
    ) -> Reading:
        """Read the query beside every candidate and, in the last row, beside none.

        Raises:
            ValueError: if there is no row to read.
            MemoryShortError: if the rows do not fit.
        """
        prompts = [self.prompts.candidate(each.label, each.passage) for each in candidates]
        if with_plain:
            prompts.append(self.prompts.no_candidate())
        if not prompts:
            raise ValueError("reading requires a candidate, or the row without one; found neither")
        shared = self.prompts.query(question)
        lengths = torch.tensor([len(prompt) for prompt in prompts])
        ends = len(shared) + lengths.cumsum(0)
        ids = torch.tensor([*shared, *(token for prompt in prompts for token in prompt)])
        row = torch.repeat_interleave(torch.arange(len(prompts)), lengths)
        owner = torch.cat([torch.full((len(shared),), -1), row])
        place = torch.arange(len(ids))
        positions = place - torch.where(owner < 0, 0, (ends - lengths)[owner] - len(shared))
        common = owner < 0
        attention = (common[None] | (owner[:, None] == owner[None])) & (place[:, None] >= place)
        cache = DynamicCache(config=self.model.config.get_text_config())
        logits = call_with_features(
            self.model,
            ids[None],
            attention,
            positions[None],
            [query.features, *(candidate.features for candidate in candidates)],
            keep_logits=ends - 1,
            cache=cache,
        )
        return Reading(
            cache,
            common[None] | (owner[None] == torch.arange(len(prompts))[:, None]),
            len(shared) + lengths,
            functional.log_softmax(logits[0].float(), dim=-1).cpu(),
        )

    def extend(self, reading: Reading, ids: Sequence[int]) -> Reading:
        """Append the same answer tokens to every row; the old reading must not be used again."""
        return self.look_ahead(reading, ids)[0]

    @torch.inference_mode()
    def look_ahead(self, reading: Reading, ids: Sequence[int]) -> tuple[Reading, Tensor]:
        """Append several tokens at once; return also (R, len(ids), V) what may follow each, nats.

        The old reading must not be used again; `rewind` takes tokens back that were guessed wrong.
        """
        rows = torch.arange(len(reading.sees))
        log_prob, sees = self.append(reading, rows, torch.tensor(list(ids)).expand(len(rows), -1))
        position = reading.next_position + len(ids)
        return Reading(reading.cache, sees, position, log_prob[:, -1]), log_prob

    def rewind(self, reading: Reading, count: int, next_log_prob: Tensor) -> Reading:
        """Take back the last `count` appended tokens; the old reading must not be used again."""
        dropped = count * len(reading.sees)
        reading.cache.crop(-dropped)
        return Reading(
            reading.cache,
            reading.sees[:, : reading.sees.shape[1] - dropped],
            reading.next_position - count,
            next_log_prob,
        )

    def answer_ids(self, text: str, *, complete: bool = False) -> list[int]:
        """Ids of an answer; a complete one ends with the end token."""
        return self.prompts.answer(f" {text}", complete)

    def score(self, reading: Reading, answers: Sequence[str], *, complete: bool = False) -> Tensor:
        """Return (R, O) log p(answer | row) of texts, nats; see `score_answers`."""
        return self.score_answers(
            reading, [self.answer_ids(text, complete=complete) for text in answers]
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
        rows, options = len(reading.sees), len(answers)
        ids = torch.tensor([[*answer, *[self._pad_id] * longest][:longest] for answer in answers])
        keep = torch.arange(longest) < torch.tensor([[len(answer)] for answer in answers])
        following, _ = self.append(
            reading,
            torch.arange(rows).repeat_interleave(options),
            ids[:, :-1].repeat(rows, 1),
        )
        reading.cache.crop(-rows * options * (longest - 1))  # the reading is left as it was
        later = following.gather(-1, ids[:, 1:].repeat(rows, 1)[..., None])[..., 0]
        later = (later * keep[:, 1:].repeat(rows, 1)).sum(-1)
        return first + later.view(rows, options)

    @property
    def _pad_id(self) -> int:
        return int(self.tokenizer.pad_token_id or 0)

    def append(self, reading: Reading, rows: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Append a stream of tokens to each of some rows, a row may have several.

        Args:
            reading: its cache grows.
            rows: (S,) the row that each stream continues.
            ids: (S, n) tokens; they stand in the sequence token by token, stream by stream.

        Returns:
            (S, n, V) log-probabilities of what follows each token, nats, and (S, T + S n) what each
            stream sees.
        """
        streams, length = ids.shape
        earlier = torch.ones(length, length, dtype=torch.bool).tril()
        own = earlier[:, None, :, None] & torch.eye(streams, dtype=torch.bool)[None, :, None, :]
        before = reading.sees[rows].expand(length, streams, -1)
        attention = torch.cat([before, own.flatten(2)], dim=-1).flatten(0, 1)
        positions = reading.next_position[rows] + torch.arange(length)[:, None]
        logits = call_with_features(
            self.model,
            ids.T.reshape(1, -1),
            attention,
            positions.reshape(1, -1),
            [],
            keep_logits=streams * length,
            cache=reading.cache,
        )
        log_prob = functional.log_softmax(logits[0].float(), dim=-1).cpu()
        sees = attention[(length - 1) * streams :]
        return log_prob.view(length, streams, -1).transpose(0, 1), sees
