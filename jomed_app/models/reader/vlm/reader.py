"""The reader over any image-text-to-text model of transformers.

Source: arXiv:2508.17394 reads with Qwen2-VL-7B and Pixtral-12B, one candidate at a time.
Ours: images are encoded once; rows are read as a tree; label texts are scored and not generated.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import BaseImageProcessor, PreTrainedModel, PreTrainedTokenizerBase

from jomed_app.boxes import Box
from jomed_app.errors import ConfigError
from jomed_app.models.loading import pack_four_bit_layers
from jomed_app.models.memory import memory_of
from jomed_app.models.number_type import dtype_name
from jomed_app.models.pixels import Letterbox
from jomed_app.models.reader.protocol import CandidateInput, FloatArray
from jomed_app.models.reader.vlm.attention import attention_maps
from jomed_app.models.reader.vlm.boxes import parse_boxes
from jomed_app.models.reader.vlm.families import Family
from jomed_app.models.reader.vlm.images import ImageEncoder, SeenImage
from jomed_app.models.reader.vlm.inputs import InputBuilder
from jomed_app.models.reader.vlm.rows import Row, RowWriter
from jomed_app.models.reader.vlm.tree import Branch, TreeReader

BOX_TOKENS = 128  # an answer that says where a few findings are
WRITTEN_WITH_SPECIAL_TOKENS = ("qwen2", "loc")
LOWER = "reader.rows_at_once, reader.max_side_px or reader.max_passage_tokens"


@dataclass(frozen=True, slots=True)
class VlmReading:
    """R rows read up to where an answer is due, in branches side by side."""

    branches: list[Branch]


class VlmReader:
    """Reads, scores and generates with one model; `Attending`.

    Threads may share it and take turns: attention maps switch the model's way of attending for a
    while, and accelerate moves weights in and out of a model that is split.

    Args:
        model: image-text-to-text, where it shall run and in its number type; the bare model, also
            where adapters were put into it.
        tokenizer, processor: of the same folder.
        family: of the model.
        rows_at_once: sequences side by side in one forward.
        max_side: longer images are shrunk to so many px; None leaves them.
        max_passage_tokens: longer passages are cut.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        processor: BaseImageProcessor,
        family: Family,
        *,
        rows_at_once: int = 16,
        max_side: int | None = None,
        max_passage_tokens: int = 128,
    ) -> None:
        self.model = model
        self.family = family
        self.writer = RowWriter(
            tokenizer, int(model.config.image_token_id), family, max_passage_tokens
        )
        self.encoder = ImageEncoder(model, processor, family, self.writer.image_token, max_side)
        self.inputs = InputBuilder(self.encoder, self.writer)
        self.tree = TreeReader(self.inputs, rows_at_once)
        self._lock = threading.Lock()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Have the model to oneself; memory that runs out is one sentence."""
        with self._lock, memory_of(LOWER):
            yield

    @property
    def name(self) -> str:
        """As transformers names the kind of model."""
        return str(self.model.config.model_type)

    @property
    def number_type(self) -> str:
        """In which matrix products run: bf16 or fp32."""
        return dtype_name(self.model.dtype)

    def prepare(self) -> None:
        """Lay 4-bit weights out for answers; what else there is to lay out waits for no first."""
        with self._turn():
            pack_four_bit_layers(self.model)

    @torch.inference_mode()
    def encode(self, images: Sequence[NDArray[np.uint8]]) -> list[SeenImage]:
        """Encode (rows, columns, 3) uint8 images, one at a time."""
        with self._turn():
            return [self.encoder.see(image) for image in images]

    def candidate(self, encoding: SeenImage, label: str, passage: str) -> CandidateInput:
        """A known case as it is read: the whole image."""
        return CandidateInput(encoding, label, passage)

    def num_bytes(self, candidate: CandidateInput) -> int:
        """Memory that a candidate's features take, where the model lies."""
        image: SeenImage = candidate.features
        return image.num_bytes

    def read(
        self,
        query: SeenImage,
        question: str,
        candidates: Sequence[CandidateInput],
        *,
        with_plain: bool = True,
    ) -> VlmReading:
        """Read the query beside every candidate and, in the last row, beside none.

        Raises:
            ValueError: if there is no row to read.
            MemoryShortError: if the rows do not fit.
        """
        shown: list[CandidateInput | None] = [*candidates, *([None] if with_plain else [])]
        if not shown:
            raise ValueError("reading requires a candidate, or the row without one; found neither")
        with self._turn():
            rows = [self.writer.beside(query, question, each) for each in shown]
            return VlmReading(self.tree.read(rows))

    def score(
        self, reading: VlmReading, answers: Sequence[str], *, complete: bool = False
    ) -> Tensor:
        """Return (R, O) log p(answer | row), nats, float32, summed over each answer's tokens.

        Raises:
            ValueError: if an answer has no token.
            ConfigError: if the model finds no numbers: its weights are damaged or overflow.
            MemoryShortError: if the answers do not fit.
        """
        ids = [self.writer.answer(text, complete=complete) for text in answers]
        if not all(ids):
            raise ValueError("every answer to score must have at least one token")
        with self._turn():
            scores = self.tree.score(reading.branches, ids)
        if bool(scores.isnan().any()):
            raise ConfigError(
                f"the reader's answers must be numbers, found none in {self.number_type}; set "
                "reader.precision to fp32, or fetch its weights again"
            )
        return scores

    def generate(self, reading: VlmReading, max_tokens: int) -> list[str]:
        """Let each of the R rows say its likeliest words; the reading is left as it was.

        Raises:
            ValueError: if max_tokens < 1.
            MemoryShortError: if the rows do not fit.
        """
        if max_tokens < 1:
            raise ValueError(f"an answer needs max_tokens >= 1, found {max_tokens}")
        return [text.strip() for text in self._say(reading.branches, max_tokens, skip=True)]

    def _say(self, branches: Sequence[Branch], max_tokens: int, *, skip: bool) -> list[str]:
        decode: Any = self.writer.tokenizer.decode
        with self._turn():
            said = self.tree.generate(branches, max_tokens, self.writer.end_id)
        return [str(decode(ids, skip_special_tokens=skip)) for ids in said]

    @torch.inference_mode()
    def attend(self, query: SeenImage, question: str, answer: str) -> FloatArray:
        """Return (rows, columns) attention of an answer's words to the query's patches, >= 0.

        Raises:
            MemoryShortError: if the maps do not fit.
        """
        with self._turn():
            row, ids = self.writer.beside(query, question, None), self.writer.answer(answer)
        return self.look(row, ids)

    @torch.inference_mode()
    def look(self, row: Row, answer: list[int], first: int = 0) -> FloatArray:
        """Return (rows, columns) attention of an answer's words to a row's first image, >= 0.

        Args:
            row: one prompt, with an image.
            answer: ids, one at least.
            first: words of the answer before this token do not count.

        Raises:
            MemoryShortError: if the maps do not fit.
        """
        with self._turn():
            heat = attention_maps(self.inputs, row, answer, first)[0]
        whole = heat.double().cpu().numpy()
        return without_margins(whole, row.images[0].shape) if self.family.twin else whole


def without_margins(heat: FloatArray, shape: tuple[int, int]) -> FloatArray:
    """Cut a (S, S) map of a padded square to the image of (rows, columns) px in it, to a patch."""
    place = Letterbox(shape[0], shape[1], heat.shape[0])
    (width, height), (left, top) = place.size, place.offset
    return heat[top : top + height, left : left + width]


class BoxSayingReader(VlmReader):
    """Of a family that writes boxes; `Locating` too."""

    def locate(self, query: SeenImage, finding: str) -> list[Box] | None:
        """Ask where a finding is.

        Returns:
            Boxes on the unit square of the image, none where the answer says that there is none;
            None where it cannot be read.

        Raises:
            MemoryShortError: if the row does not fit.
        """
        kind = self.family.boxes
        assert kind is not None, "its family writes boxes"
        question = self.family.box_question.format(finding=finding)
        with self._turn():
            branches = self.tree.read([self.writer.question(query, question)])
        skip = kind not in WRITTEN_WITH_SPECIAL_TOKENS
        said = self._say(branches, BOX_TOKENS, skip=skip)[0]
        return parse_boxes(said, kind, query.size)
