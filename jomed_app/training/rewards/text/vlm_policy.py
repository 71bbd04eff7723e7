"""A large reader as the policy, in its family's own words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from jomed_app.data.tasks import Task
from jomed_app.models.memory import memory_of
from jomed_app.models.reader.protocol import FloatArray, RgbImage
from jomed_app.models.reader.vlm.lora import TunedReader
from jomed_app.models.reader.vlm.rows import Row
from jomed_app.training.rewards.text.case import RewardedCase
from jomed_app.training.rewards.text.policy import TextTokens, text_tokens
from jomed_app.training.rewards.text.statements import Said, answer_of, question_of, read_answer

LOWER = "train_rewards.rollouts, train_rewards.max_tokens or reader.max_side_px"


class VlmTextPolicy:
    """Answers of one reader to a task's question; a `TextPolicy`.

    Args:
        tuned: the reader, with the adapter that learns.
        task: what is asked and answered.
        temperature: of sampling; the policy that is tuned is the tempered one, > 0.
        max_tokens: of an answer, >= 1.

    Attributes:
        barred: ids that no answer holds: an image that a model says would be one that it misses.
    """

    def __init__(self, tuned: TunedReader, task: Task, temperature: float, max_tokens: int) -> None:
        self.tuned = tuned
        self.reader = tuned.reader
        self.task = task
        self.question = question_of(task, self.reader.family)
        self.temperature = temperature
        self.max_tokens = max_tokens
        config: Any = self.reader.model.config
        known = (getattr(config, name, None) for name in ("image_token_id", "video_token_id"))
        self.barred = [int(each) for each in known if each is not None]

    @property
    def model(self) -> nn.Module:
        """See `TextPolicy`."""
        return self.tuned.model

    @property
    def width(self) -> int:
        """See `TextPolicy`."""
        return int(self.reader.model.config.get_text_config().hidden_size)

    @property
    def device(self) -> torch.device:
        """See `TextPolicy`."""
        return self.reader.inputs.device

    @property
    def writes_boxes(self) -> bool:
        """See `TextPolicy`."""
        return self.reader.family.boxes is not None and self.task.has_boxes

    @property
    def shows_attention(self) -> bool:
        """See `TextPolicy`."""
        return True

    def learn(self) -> None:
        """See `TextPolicy`; dropout stays off, so that the ratio is 1 where a batch begins."""
        self.tuned.learn()
        for module in self.model.modules():
            if isinstance(module, nn.Dropout):
                module.eval()

    def rest(self) -> None:
        """See `TextPolicy`."""
        self.tuned.rest()

    @torch.no_grad()
    def prompt(self, image: RgbImage) -> Row:
        """See `TextPolicy`."""
        return self.reader.writer.question(self.reader.encoder.see(image), self.question)

    def sample(self, prompt: Row, count: int, generator: torch.Generator) -> list[list[int]]:
        """See `TextPolicy`."""

        def drawn(log_prob: Tensor) -> Tensor:
            prob = self._tempered(log_prob, self.temperature).softmax(-1).cpu()
            return torch.multinomial(prob, 1, generator=generator)[:, 0].to(log_prob.device)

        return self.answers(prompt, count, drawn)

    def answers(
        self, prompt: Row, count: int, choose: Callable[[Tensor], Tensor]
    ) -> list[list[int]]:
        """Answer `count` times; see `TreeReader.generate` for `choose`."""
        tree, end = self.reader.tree, self.reader.writer.end_id
        with memory_of(LOWER):
            (branch,) = tree.read([prompt])
            said = tree.generate([tree.repeated(branch, count)], self.max_tokens, end, choose)
        return [ids if len(ids) == self.max_tokens else [*ids, end] for ids in said]

    def _tempered(self, logits: Tensor, temperature: float) -> Tensor:
        """Logits (..., V) of the policy."""
        barred = torch.tensor(self.barred, dtype=torch.long, device=logits.device)
        return (logits / temperature).index_fill(-1, barred, -torch.inf)

    def tokens(
        self, prompt: Row, answers: Sequence[Sequence[int]], temperature: float | None = None
    ) -> TextTokens:
        """See `TextPolicy`."""
        lengths = torch.tensor([len(answer) for answer in answers], device=self.device)
        width = int(lengths.max())
        model: Any = self.reader.model
        with memory_of(LOWER):
            given = self.reader.inputs.padded([prompt] * len(answers), answers)
            said = given.pop("labels")[:, -width:].clamp(min=0)
            output = model(
                **given, use_cache=False, logits_to_keep=width + 1, output_hidden_states=True
            )
            logits = self._tempered(output.logits[:, :-1].float(), temperature or self.temperature)
            keep = torch.arange(width, device=self.device) < lengths[:, None]
            hidden = output.hidden_states[-1][:, -width - 1 : -1]
            return text_tokens(logits, said, keep, hidden)

    def true_answer(self, prompt: Row, case: RewardedCase) -> list[int]:
        """See `TextPolicy`."""
        if case.boxes is None:
            return self.reader.writer.answer(case.label)
        box = case.boxes[0] if case.boxes else None
        size = prompt.images[0].size
        text = answer_of(self.task, self.reader.family, case.label, box, size)
        return self.reader.writer.answer(text, complete=True)

    def read(self, prompt: Row, answer: Sequence[int]) -> Said:
        """See `TextPolicy`."""
        size = prompt.images[0].size
        said = read_answer(self.task, self.reader.family, self.text(answer), size)
        if said.named is None:
            return said
        return replace(said, named=self.span(answer, said.named.start, said.named.stop))

    def look(self, prompt: Row, answer: Sequence[int], named: slice) -> FloatArray:
        """See `TextPolicy`."""
        return self.reader.look(prompt, list(answer[: named.stop]), named.start)

    def text(self, ids: Sequence[int]) -> str:
        """An answer in words; its end is left out, tokens that write a box are not."""
        said = [each for each in ids if each != self.reader.writer.end_id]
        decode: Any = self.reader.writer.tokenizer.decode
        return str(decode(said, skip_special_tokens=False))

    def span(self, ids: Sequence[int], start: int, stop: int) -> slice:
        """The tokens that write the characters start to stop of an answer's text."""
        ends = [len(self.text(ids[: place + 1])) for place in range(len(ids))]
        first = next(place for place, end in enumerate(ends) if end > start)
        last = next(place for place, end in enumerate(ends) if end >= stop)
        return slice(first, max(first, last) + 1)
