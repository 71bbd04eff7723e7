"""Rows in a model's own chat template: query image and question, then one candidate."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from transformers import PreTrainedTokenizerBase

from jomed_app.data.wording.prompts import (
    IMAGE_SLOT,
    NO_REFERENCE,
    candidate_text,
    query_text,
)
from jomed_app.errors import ConfigError
from jomed_app.models.reader.protocol import CandidateInput
from jomed_app.models.reader.vlm.families import Family
from jomed_app.models.reader.vlm.images import SeenImage

_MARK = "\u241e"  # a character that no prompt holds
Part = str | SeenImage


@dataclass(frozen=True, slots=True)
class Row:
    """One prompt.

    Attributes:
        ids: up to where the answer begins.
        images: in the order in which their tokens stand.
        starts: place of each image's first token.
    """

    ids: list[int]
    images: list[SeenImage]
    starts: list[int]


class RowWriter:
    """Writes rows and answers for one model.

    Args:
        tokenizer: with the model's chat template; without one, images, text and a line break stand
            in a row (PaliGemma).
        image_token_id: that stands for one feature of an image.
        family: of the model.
        max_passage_tokens: longer passages are cut.

    Raises:
        ConfigError: if the template loses images or fails, or there is no image token.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        image_token_id: int,
        family: Family,
        max_passage_tokens: int,
    ) -> None:
        self.tokenizer: Any = tokenizer
        self.image_token_id = image_token_id
        if (token := tokenizer.convert_ids_to_tokens(image_token_id)) is None:
            raise ConfigError(
                f"the model's image_token_id must be a token of its tokenizer, found "
                f"{image_token_id} of {len(tokenizer)}; take another model"
            )
        self.image_token = str(token)
        self.family = family
        self.max_passage_tokens = max_passage_tokens
        self.slot = family.slot or self.image_token
        special = [each.content for each in tokenizer.added_tokens_decoder.values() if each.special]
        meant = sorted({*special, self.slot, IMAGE_SLOT}, key=len, reverse=True)
        self._reserved = re.compile("|".join(map(re.escape, meant)))
        if (found := self._render([None, "x", None]).count(self.slot)) != 2:
            raise ConfigError(
                f"the model's chat template must keep both images of a row, it kept {found}; "
                "take a model that reads several images"
            )
        self.lead, self.end_id = self._answer_frame()
        known = tokenizer.pad_token_id
        self.pad_id = self.end_id if known is None else int(known)

    def _answer_frame(self) -> tuple[str, int]:
        """What stands before an answer (a blank, in some families), and the token that ends it."""
        prompt = self._render(["x"])
        before, after = self._render(["x"], _MARK).split(_MARK)
        lead = before[len(prompt) :] if before.startswith(prompt) else ""
        ids = self.tokenizer(after, add_special_tokens=False)["input_ids"][:1]
        added = self.tokenizer.added_tokens_decoder
        if ids and ids[0] in added and added[ids[0]].special:
            return ("" if lead.strip() else lead), int(ids[0])
        return ("" if lead.strip() else lead), int(self.tokenizer.eos_token_id)

    def _render(self, parts: Sequence[str | None], answer: str | None = None) -> str:
        """The text of a row; None is an image, written as its slot."""
        if self.tokenizer.chat_template is None:
            words = "".join(part for part in parts if part is not None)
            begin = self.tokenizer.bos_token or ""
            return self.slot * list(parts).count(None) + begin + words + "\n" + (answer or "")
        if self.family.inline:
            parts = ["".join(self.slot if part is None else part for part in parts)]
        content = [
            {"type": "image"} if part is None else {"type": "text", "text": part} for part in parts
        ]
        turns: list[dict[str, Any]] = [{"role": "user", "content": content}]
        if answer is not None:  # Mistral's template wants a text here, others a list
            said: Any = answer if self.slot == "[IMG]" else [{"type": "text", "text": answer}]
            turns.append({"role": "assistant", "content": said})
        try:
            text: str = self.tokenizer.apply_chat_template(
                turns,
                tokenize=False,
                add_generation_prompt=answer is None,
                enable_thinking=False,  # Qwen3.5; other templates do not know it
            )
        except Exception as error:  # a template is a program, and may raise anything
            raise ConfigError(
                "the model's chat template must take a turn of texts and images, it fails at one "
                f"({type(error).__name__}); take another model, or mend chat_template.jinja"
            ) from error
        return text

    def plain(self, text: str) -> str:
        """Text from outside without tokens that have a meaning of their own, such as an image."""
        return self._reserved.sub(" ", text)

    def row(self, parts: Sequence[Part]) -> Row:
        """Texts and images in the order in which they are read; texts are taken as they are.

        Raises:
            ConfigError: if the template loses an image.
        """
        images = [part for part in parts if isinstance(part, SeenImage)]
        text = self._render([None if isinstance(part, SeenImage) else part for part in parts])
        pieces = text.split(self.slot)
        if len(pieces) != len(images) + 1:
            raise ConfigError(
                f"the model's chat template must keep {len(images)} images of a row, it kept "
                f"{len(pieces) - 1}; take another model"
            )
        whole = pieces[0]
        for image, piece in zip(images, pieces[1:], strict=True):
            whole += image.text + piece
        ids: list[int] = self.tokenizer(whole, add_special_tokens=False)["input_ids"]
        places = [place for place, token in enumerate(ids) if token == self.image_token_id]
        starts, before = [], 0
        for image in images:
            starts.append(places[before])
            before += len(image.features)
        return Row(ids, images, starts)

    def question(self, image: SeenImage, text: str) -> Row:
        """The row of one image and one question alone."""
        return self.row([image, "\n" + self.plain(text)])

    def beside(self, query: SeenImage, question: str, candidate: CandidateInput | None) -> Row:
        """The row of a query beside a candidate, or beside none; the query comes first.

        Ours: what all rows of a query share then stands at their beginning and is read once.
        """
        parts = _between(query_text(self.plain(question)), query)
        if candidate is None:
            return self.row([*parts, NO_REFERENCE])
        passage = self.plain(candidate.passage)
        words = self.tokenizer(passage, add_special_tokens=False)["input_ids"]
        if len(words) > self.max_passage_tokens:
            passage = str(self.tokenizer.decode(words[: self.max_passage_tokens]))
        text = candidate_text(self.plain(candidate.label), passage)
        return self.row([*parts, *_between(text, candidate.features)])

    def answer(self, text: str, *, complete: bool = False) -> list[int]:
        """Ids of an answer; a complete one ends with the end token."""
        ids: list[int] = self.tokenizer(self.lead + text, add_special_tokens=False)["input_ids"]
        return [*ids, self.end_id] if complete else ids


def _between(text: str, image: SeenImage) -> list[Part]:
    """Put an image where a text holds the slot of ours."""
    before, after = text.split(IMAGE_SLOT)
    return [before, image, after]
