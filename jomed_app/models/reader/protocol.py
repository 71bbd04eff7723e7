"""What the app asks of a reader, whichever model stands behind it: abilities, never a class.

Every reader encodes images, reads a query beside candidates, scores answers and says its own. What
only some can do is a protocol of its own, and `isinstance` asks for it: `Describing`, `Locating`,
`Attending`, `Sending`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from jomed_app.boxes import Box
from jomed_app.data.tasks import Task

FloatArray = NDArray[np.float64]
RgbImage = NDArray[np.uint8]

Encoding: TypeAlias = Any
"""One image as a reader sees it; only the reader that made it knows what it holds."""

Reading: TypeAlias = Any
"""R rows read up to where an answer is due; only the reader that made it knows what it holds."""


@dataclass(frozen=True, slots=True)
class CandidateInput:
    """What a reader is shown of a candidate.

    Attributes:
        features: its image, in the form that its reader takes.
        label: known diagnosis.
        passage: its text.
    """

    features: Any
    label: str
    passage: str


class Reader(Protocol):
    """A vision-language model that reads the query beside one candidate at a time.

    Source: arXiv:2508.17394.
    """

    @property
    def name(self) -> str:
        """Kind of model, as results name it."""

    @property
    def number_type(self) -> str:
        """In which its matrix products run: bf16 or fp32."""

    def prepare(self) -> None:
        """Lay the weights out for answers; the model may then neither be trained nor saved."""

    def encode(self, images: Sequence[RgbImage]) -> Sequence[Encoding]:
        """Encode (rows, columns, 3) uint8 images; an image's bits depend on no other."""

    def candidate(self, encoding: Encoding, label: str, passage: str) -> CandidateInput:
        """A known case as it is read."""

    def num_bytes(self, candidate: CandidateInput) -> int:
        """Memory that a candidate's image takes, while it is held ready."""

    def read(
        self,
        query: Encoding,
        question: str,
        candidates: Sequence[CandidateInput],
        *,
        with_plain: bool = True,
    ) -> Reading:
        """Read the query beside every candidate and, in the last row, beside none.

        Raises:
            ValueError: if there is no row to read.
        """

    def score(self, reading: Reading, answers: Sequence[str], *, complete: bool = False) -> Tensor:
        """Return (R, O) log p(answer | row), nats, float32, summed over each answer's tokens.

        The reading is left as it was.

        Args:
            reading: R rows.
            answers: O texts.
            complete: whether the end of the answer counts too.
        """

    def generate(self, reading: Reading, max_tokens: int) -> list[str]:
        """Let each of the R rows say its likeliest words; the reading is left as it was.

        Raises:
            ValueError: if max_tokens < 1.
        """


@dataclass(frozen=True, slots=True)
class Description:
    """Where the finding is and what it looks like.

    Attributes:
        box: on the unit square of the model input, or None for a label without a finding.
        confidence: share of the location mass that lies near the box's edges, in [0, 1].
        findings: descriptor -> value -> marginal probability.
    """

    box: Box | None
    confidence: float
    findings: dict[str, dict[str, float]]


@runtime_checkable
class Describing(Protocol):
    """A reader that was tuned to go on from a label: where the finding is, what it looks like."""

    def describe(
        self,
        reading: Reading,
        task: Task,
        weights: FloatArray,
        label: int,
        *,
        box: Box | None = None,
        draft: Mapping[str, str] | None = None,
    ) -> Description:
        """Go on from a label; the rows cannot be read on from again.

        Args:
            reading: R rows.
            task: label and descriptors, which the reader was tuned on.
            weights: (R,) share of every row; sums to 1.
            label: index of the label that the description belongs to, one with a finding.
            box: on the unit square, where it is known from elsewhere; None lets the reader say it.
            draft: a guess at the descriptors; it changes the number of passes, never the answer.
        """


@runtime_checkable
class Locating(Protocol):
    """A reader that says where a finding is, in words of its own family."""

    def locate(self, query: Encoding, finding: str) -> list[Box] | None:
        """Ask where a finding is.

        Returns:
            Boxes on the unit square of the image, none where the reader says that there is none;
            None where its answer cannot be read, which is another thing.
        """


@runtime_checkable
class Attending(Protocol):
    """A reader that shows where an answer looked."""

    def attend(self, query: Encoding, question: str, answer: str) -> FloatArray:
        """Return (rows, columns) attention of an answer's words to the query's patches, >= 0."""


@runtime_checkable
class Sending(Protocol):
    """A reader that runs elsewhere: every image that it reads is sent there."""

    @property
    def sent_to(self) -> str:
        """Machine beside this one that images are sent to; empty where they stay here."""
