"""Token rows of the reader: query and question, one candidate, answer; padded so columns align.

A row is `[pad | query | candidate | answer | pad]`: answers start in one column for all rows of a
batch, so the standard forward can keep the logits of just those columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from jomed_app.data.wording.prompts import IMAGE_SLOT, NO_REFERENCE, candidate_text, query_text

MAX_KEPT = 4096  # texts whose ids are remembered; an index is read again and again
_SPLIT = "\u241e"  # stands where the candidate part begins while the chat template is applied


class PromptEncoder:
    """Turns texts into token ids, with one id per image token where an image stands.

    Attributes:
        image_token_id: id that marks an image token.
        query_tokens: image tokens of a query.
        candidate_tokens: image tokens of a candidate.
        max_passage_tokens: longer passages are cut.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        *,
        image_token_id: int,
        query_tokens: int,
        candidate_tokens: int,
        max_passage_tokens: int = 48,
    ) -> None:
        self.tokenizer = tokenizer
        self.image_token_id = image_token_id
        self.query_tokens = query_tokens
        self.candidate_tokens = candidate_tokens
        self.max_passage_tokens = max_passage_tokens
        user = [{"role": "user", "content": _SPLIT}]
        text = str(tokenizer.apply_chat_template(user, tokenize=False, add_generation_prompt=True))
        self._before, self._after = text.split(_SPLIT)
        eos = tokenizer.eos_token_id
        if not isinstance(eos, int):
            raise TypeError("the tokenizer must have one end-of-answer token")
        self.end_id = eos
        added = tokenizer.added_tokens_decoder.values()
        self._known: dict[tuple[str, ...], list[int]] = {}
        self._reserved = (IMAGE_SLOT, *(token.content for token in added if token.special))

    def _ids(self, text: str, image_tokens: int = 0) -> list[int]:
        ids: list[int] = []
        for place, piece in enumerate(text.split(IMAGE_SLOT)):
            if place:
                ids += [self.image_token_id] * image_tokens
            if piece:
                ids += self.tokenizer(piece, add_special_tokens=False)["input_ids"]
        return ids

    def _plain(self, text: str) -> str:
        """Text from outside without tokens that have a meaning of their own, such as an image."""
        for token in self._reserved:
            text = text.replace(token, " ")
        return text

    def _kept(self, key: tuple[str, ...], make: Callable[[], list[int]]) -> list[int]:
        """Ids made before, or made now; the oldest are forgotten beyond `MAX_KEPT`."""
        if key not in self._known:
            if len(self._known) >= MAX_KEPT:
                del self._known[next(iter(self._known))]
            self._known[key] = make()
        return list(self._known[key])

    def query(self, question: str) -> list[int]:
        """Ids of the part that all rows of a query share."""
        return self._kept(
            ("query", question),
            lambda: self._ids(self._before + query_text(self._plain(question)), self.query_tokens),
        )

    def candidate(self, label: str, passage: str) -> list[int]:
        """Ids of one candidate, up to where the answer begins."""
        return self._kept(("candidate", label, passage), lambda: self._candidate(label, passage))

    def _candidate(self, label: str, passage: str) -> list[int]:
        label, passage = self._plain(label), self._plain(passage)
        words = self.tokenizer(passage, add_special_tokens=False)["input_ids"]
        if len(words) > self.max_passage_tokens:
            passage = str(self.tokenizer.decode(words[: self.max_passage_tokens]))
        return self._ids(candidate_text(label, passage) + self._after, self.candidate_tokens)

    def no_candidate(self) -> list[int]:
        """Ids that stand in a candidate's place when there is none."""
        return self._ids(NO_REFERENCE + self._after)

    def answer(self, text: str, complete: bool = False) -> list[int]:
        """Ids of an answer; a complete one ends with the end token."""
        ids = self._kept(("answer", text), lambda: self._ids(text))
        return [*ids, self.end_id] if complete else ids


@dataclass(frozen=True, slots=True)
class RowBatch:
    """Padded rows.

    Attributes:
        input_ids: (R, T) token ids.
        keep_mask: (R, T) True where a token counts.
        position_ids: (R, T) position of each token in its own row.
        answer_length: columns at the end that hold answers (padding included).
    """

    input_ids: Tensor
    keep_mask: Tensor
    position_ids: Tensor
    answer_length: int


def pad_rows(
    prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]], pad_id: int
) -> RowBatch:
    """Pad prompts on the left and answers on the right.

    Args:
        prompts: R prompts, each at least one token.
        answers: R answers, may be empty.
        pad_id: id written where nothing counts.
    """
    left = max(len(prompt) for prompt in prompts)
    right = max(len(answer) for answer in answers)
    ids = torch.full((len(prompts), left + right), pad_id, dtype=torch.long)
    keep = torch.zeros(len(prompts), left + right, dtype=torch.bool)
    for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        filled = slice(left - len(prompt), left + len(answer))
        ids[row, filled] = torch.tensor([*prompt, *answer])
        keep[row, filled] = True
    positions = (keep.long().cumsum(1) - 1).clamp_min(0)
    return RowBatch(ids, keep, positions, right)
