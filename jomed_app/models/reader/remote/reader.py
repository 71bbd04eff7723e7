"""The reader over a chat server: labels are scored by the server's own log-probabilities.

Source: arXiv:2508.17394 reads one candidate at a time with a large model.
Ours: label texts are scored and not generated. Where each label is one token of the model, one
question a row tells all; else one question a row and label.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from jomed_app.errors import RemoteError
from jomed_app.models.reader.protocol import CandidateInput
from jomed_app.models.reader.remote.client import ChatClient
from jomed_app.models.reader.remote.dialects import Dialect
from jomed_app.models.reader.remote.log_probs import (
    ChatAnswer,
    are_all_certain,
    first_token,
    forced_answer,
    parse_answer,
    prompted_answer,
    text_of,
)
from jomed_app.models.reader.remote.messages import (
    Message,
    SentImage,
    row_messages,
    sent_image,
)

TOP = 20  # the most that vLLM gives by default, and OpenAI's servers at all
NO_NUMBER_TYPE = "of the server"
NOT_TOLD = (
    "gave no log-probabilities, by which labels are scored: {needs} (`transformers serve` has none)"
)


@dataclass(frozen=True, slots=True)
class RemoteReading:
    """R rows as they are sent with every question; nothing of them is held by the server."""

    rows: list[list[Message]]


class RemoteReader:
    """Reads, scores and generates by questions to a server; `Sending`.

    Args:
        client: asks the server.
        model: its name there.
        dialect: of the server.
        answer_lead: what the model's template puts before an answer.
        max_side: longer images are shrunk to so many px.
        max_passage: longer passages are cut, characters.
    """

    def __init__(
        self,
        client: ChatClient,
        model: str,
        dialect: Dialect,
        *,
        answer_lead: str = "",
        max_side: int = 448,
        max_passage: int = 512,
    ) -> None:
        self._client = client
        self._model = model
        self._dialect = dialect
        self._lead = answer_lead
        self._max_side = max_side
        self._max_passage = max_passage

    @property
    def name(self) -> str:
        """The model's name on the server, and the server."""
        return f"{self._model} at {self._client.address.host}"

    @property
    def number_type(self) -> str:
        """The server's own, which it does not tell."""
        return NO_NUMBER_TYPE

    @property
    def sent_to(self) -> str:
        """Machine beside this one that images are sent to; empty where they stay here."""
        return self._client.address.sent_to

    def prepare(self) -> None:
        """Ask the server whether it serves the model.

        Raises:
            RemoteError: if it cannot be reached, or lists other models alone.
        """
        listed = self._client.get("/models")
        entries = listed.get("data") if isinstance(listed, dict) else None
        if not isinstance(entries, list):
            raise self._error("does not list its models; mend reader.url")
        names = {each.get("id") for each in entries if isinstance(each, dict)}
        if self._model not in names:
            raise self._error(
                f"must serve reader.model '{self._model}', which is not among the {len(names)} "
                f"that it lists at {self._client.address.host}/models; mend reader.model"
            )

    def encode(self, images: Sequence[NDArray[np.uint8]]) -> list[SentImage]:
        """Write (rows, columns, 3) uint8 images as they are sent; nothing is sent yet."""
        return [sent_image(image, self._max_side) for image in images]

    def candidate(self, encoding: SentImage, label: str, passage: str) -> CandidateInput:
        """A known case as it is read: the whole image."""
        return CandidateInput(encoding, label, passage)

    def num_bytes(self, candidate: CandidateInput) -> int:
        """Memory that a candidate's image takes, while it is held ready."""
        image: SentImage = candidate.features
        return len(image.url)

    def read(
        self,
        query: SentImage,
        question: str,
        candidates: Sequence[CandidateInput],
        *,
        with_plain: bool = True,
    ) -> RemoteReading:
        """Lay out the query beside every candidate and, in the last row, beside none.

        Raises:
            ValueError: if there is no row to read.
        """
        shown: list[CandidateInput | None] = [*candidates, *([None] if with_plain else [])]
        if not shown:
            raise ValueError("reading requires a candidate, or the row without one; found neither")
        return RemoteReading(
            [row_messages(query, question, each, self._max_passage) for each in shown]
        )

    def score(
        self, reading: RemoteReading, answers: Sequence[str], *, complete: bool = False
    ) -> Tensor:
        """Return (R, O) log p(answer | row), nats, float32, summed over each answer's tokens.

        Raises:
            ValueError: if an answer has no letter.
            RemoteError: if a question is not answered, or without log-probabilities.
        """
        if not all(answers):
            raise ValueError("every answer to score must have at least one token")
        texts = [self._lead + each for each in answers]
        rows = reading.rows
        told = [None] * len(rows) if complete else self._by_first_token(rows, texts)
        left = [place for place, found in enumerate(told) if found is None]
        rest = iter(self._one_by_one([rows[place] for place in left], texts, complete))
        return torch.tensor([next(rest) if found is None else found for found in told])

    def generate(self, reading: RemoteReading, max_tokens: int) -> list[str]:
        """Let each of the R rows say its likeliest words.

        Raises:
            ValueError: if max_tokens < 1.
            RemoteError: if a question is not answered.
        """
        if max_tokens < 1:
            raise ValueError(f"an answer needs max_tokens >= 1, found {max_tokens}")
        asked = [self._question(row, max_tokens) for row in reading.rows]
        return [text_of(answer).strip() for answer in self._ask(asked)]

    def _by_first_token(
        self, rows: Sequence[list[Message]], texts: Sequence[str]
    ) -> list[list[float] | None]:
        """Scores of every row, or None for one in which a text is no token, or an unlikely one."""
        choice = self._dialect.constraint(texts)
        told: list[list[float] | None] = []
        for answer in self._ask(
            self._question(row, 1, logprobs=True, top_logprobs=TOP, **choice) for row in rows
        ):
            found = first_token(answer)
            if found is None:
                raise self._error(NOT_TOLD.format(needs=self._dialect.needs))
            told.append([found[text] for text in texts] if set(texts) <= set(found) else None)
        return told

    def _one_by_one(
        self, rows: Sequence[list[Message]], texts: Sequence[str], complete: bool
    ) -> list[list[float]]:
        """Scores of every row, each text asked for by a question of its own."""
        prompts = self._dialect.scores_prompts
        write, score = (
            (self._prompted, prompted_answer) if prompts else (self._forced, forced_answer)
        )
        asked = [write(row, text, complete) for row in rows for text in texts]
        scores: list[float] = []
        for place, answer in enumerate(self._ask(asked)):
            found = score(answer, texts[place % len(texts)], complete=complete)
            if found is None:
                raise self._error(NOT_TOLD.format(needs=self._dialect.needs))
            scores.append(found)
        by_row = [scores[at : at + len(texts)] for at in range(0, len(scores), len(texts))]
        if any(are_all_certain(row) for row in by_row):
            raise self._error(
                "says that every label is certain, since it counts what it was told to say; "
                + self._dialect.needs
            )
        return by_row

    def _prompted(self, row: list[Message], text: str, complete: bool) -> dict[str, Any]:
        """Put a text into the model's mouth and ask how likely it was."""
        return self._question(
            [*row, {"role": "assistant", "content": text}],
            1,
            add_generation_prompt=False,
            continue_final_message=not complete,
            prompt_logprobs=1,
        )

    def _forced(self, row: list[Message], text: str, complete: bool) -> dict[str, Any]:
        """Make the model say a text, and end; a token is a byte at least."""
        room = len(text.encode()) + 1
        choice = self._dialect.constraint([text])
        return self._question(row, room, logprobs=True, top_logprobs=1, **choice)

    def _question(
        self, messages: Sequence[Message], max_tokens: int, **options: Any
    ) -> dict[str, Any]:
        return {
            "model": self._model,
            "messages": list(messages),
            "max_tokens": max_tokens,
            "temperature": 0.0,
            **options,
        }

    def _ask(self, questions: Iterable[Mapping[str, Any]]) -> list[ChatAnswer]:
        answers = [parse_answer(each) for each in self._client.ask_all(list(questions))]
        found = [each for each in answers if each is not None]
        if len(found) < len(answers):
            raise self._error("answered with what is no chat completion; mend reader.url")
        return found

    def _error(self, found: str) -> RemoteError:
        return RemoteError(f"the server that reads, {self._client.address.host}, {found}")
