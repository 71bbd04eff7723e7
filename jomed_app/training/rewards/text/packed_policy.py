"""The embedded reader as the policy: label, four location tokens, descriptors, without a candidate.

Ours: it shows no attention, so vision relevance is not rewarded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from jomed_app.boxes import Box
from jomed_app.data.tasks import Task
from jomed_app.data.wording.answers import Reading as Told
from jomed_app.data.wording.answers import answer_text, bins_box
from jomed_app.models.number_type import autocast
from jomed_app.models.pixels import Letterbox
from jomed_app.models.reader.feature_forward import call_hidden
from jomed_app.models.reader.packed import PackedReader
from jomed_app.models.reader.packed_rows import ImageEncoding, Reading
from jomed_app.models.reader.protocol import FloatArray, RgbImage
from jomed_app.objectives.umed.rewards import Statement
from jomed_app.training.reader.packing import IGNORED, Block, pack
from jomed_app.training.rewards.text.case import RewardedCase
from jomed_app.training.rewards.text.policy import TextTokens, text_tokens
from jomed_app.training.rewards.text.statements import Said, descriptors_in, label_in

EDGES = 4


@dataclass(frozen=True, slots=True)
class PackedPrompt:
    """One image that is asked about.

    Attributes:
        image: as the reader sees it, in a square.
        place: of the image in the square.
        query: ids of image and question.
    """

    image: ImageEncoding
    place: Letterbox
    query: list[int]


class PackedTextPolicy:
    """Answers of the embedded reader to a task's question; a `TextPolicy`.

    Args:
        reader: with adapters that learn, not laid out for answers.
        task: what is asked and answered.
        temperature: of sampling; the policy that is tuned is the tempered one, > 0.
        max_tokens: of an answer, >= 1.
    """

    def __init__(
        self, reader: PackedReader, task: Task, temperature: float, max_tokens: int
    ) -> None:
        self.reader = reader
        self.task = task
        self.temperature = temperature
        self.max_tokens = max_tokens
        self._bin_of = {int(token): place for place, token in enumerate(reader.location_ids)}

    @property
    def model(self) -> nn.Module:
        """See `TextPolicy`."""
        return self.reader.model

    @property
    def width(self) -> int:
        """See `TextPolicy`."""
        return int(self.reader.model.config.get_text_config().hidden_size)

    @property
    def device(self) -> torch.device:
        """See `TextPolicy`."""
        return self.reader.model.device

    @property
    def writes_boxes(self) -> bool:
        """See `TextPolicy`."""
        return self.task.has_boxes

    @property
    def shows_attention(self) -> bool:
        """See `TextPolicy`."""
        return False

    def learn(self) -> None:
        """See `TextPolicy`; it learns without dropout, so that the ratio is 1 at first."""
        self.reader.model.eval()

    def rest(self) -> None:
        """See `TextPolicy`."""
        self.reader.model.eval()

    def prompt(self, image: RgbImage) -> PackedPrompt:
        """See `TextPolicy`."""
        with autocast(self.device):  # adapters and projector learn in fp32
            (encoding,) = self.reader.encode([image])
        place = Letterbox(image.shape[0], image.shape[1], self.reader.image_size)
        return PackedPrompt(encoding, place, self.reader.prompts.query(self.task.question))

    @torch.inference_mode()
    def sample(
        self, prompt: PackedPrompt, count: int, generator: torch.Generator
    ) -> list[list[int]]:
        """See `TextPolicy`."""
        with autocast(self.device):
            return self._sampled(prompt, count, generator)

    def _sampled(
        self, prompt: PackedPrompt, count: int, generator: torch.Generator
    ) -> list[list[int]]:
        end = self.reader.prompts.end_id
        going = self.reader.read(prompt.image, self.task.question, [])
        rows = torch.zeros(count, dtype=torch.long)
        log_prob, position = going.next_log_prob.expand(count, -1), going.next_position
        is_done, said = torch.zeros(count, dtype=torch.bool), []
        while True:
            prob = self._tempered(log_prob, self.temperature).softmax(-1)
            ids = torch.multinomial(prob, 1, generator=generator)[:, 0].masked_fill(is_done, end)
            is_done = is_done | (ids == end)
            said.append(ids)
            if is_done.all() or len(said) == self.max_tokens:
                break
            following, sees = self.reader.append(going, rows, ids[:, None])
            position = position + 1
            going = Reading(going.cache, sees, position.expand(count), following[:, -1])
            log_prob, rows = going.next_log_prob, torch.arange(count)
        answers: list[list[int]] = torch.stack(said, dim=1).tolist()
        return [row[: row.index(end) + 1] if end in row else row for row in answers]

    def _tempered(self, logits: Tensor, temperature: float) -> Tensor:
        """Logits (..., V) of the policy, which never says an image."""
        barred = torch.tensor([self.reader.prompts.image_token_id], device=logits.device)
        return (logits / temperature).index_fill(-1, barred, -torch.inf)

    def tokens(
        self,
        prompt: PackedPrompt,
        answers: Sequence[Sequence[int]],
        temperature: float | None = None,
    ) -> TextTokens:
        """See `TextPolicy`."""
        model, ask = self.reader.model, self.reader.prompts.no_candidate()
        blocks = [Block(ask, answer, [1.0] * len(answer)) for answer in answers]
        pad_id = int(self.reader.tokenizer.pad_token_id or 0)
        batch = pack([prompt.query], [blocks], pad_id).to(self.device)
        features = [self._projected(prompt.image)]
        with autocast(self.device):
            hidden = call_hidden(
                model, batch.input_ids, batch.attention, batch.position_ids, features
            )[batch.targets != IGNORED]
            logits = model.get_output_embeddings()(hidden).float()
        lengths = [len(answer) for answer in answers]
        said = [torch.tensor(list(answer), device=self.device) for answer in answers]
        keep = torch.arange(max(lengths), device=self.device) < torch.tensor(
            lengths, device=self.device
        ).unsqueeze(1)
        return text_tokens(
            self._tempered(
                pad_sequence(list(logits.split(lengths)), True), temperature or self.temperature
            ),
            pad_sequence(said, True),
            keep,
            pad_sequence(list(hidden.split(lengths)), True),
        )

    def _projected(self, image: ImageEncoding) -> Tensor:
        """The image's features, with gradient to a projector that learns."""
        project = self.reader.model.model.multi_modal_projector
        weight = next(project.parameters())
        features: Tensor = project(image.tokens.clone().to(weight.device, weight.dtype))
        return features

    def true_answer(self, prompt: PackedPrompt, case: RewardedCase) -> list[int]:
        """See `TextPolicy`."""
        rows, columns = prompt.place.rows, prompt.place.columns
        box = prompt.place.to_unit(case.boxes[0].scaled(columns, rows)) if case.boxes else None
        told = Told(case.label, box, case.descriptors or None)
        text, complete = answer_text(self.task, told, self.reader.location_bins)
        return self.reader.prompts.answer(text, complete)

    def read(self, prompt: PackedPrompt, answer: Sequence[int]) -> Said:
        """See `TextPolicy`; a box is four location tokens in a row behind the label."""
        places = [place for place, token in enumerate(answer) if token in self._bin_of]
        first = places[0] if places else len(answer)
        found = label_in(self.task, self._text(answer[:first]))
        behind = self._text(answer[first:])
        boxes: list[Box] | None = None
        if places == list(range(first, first + EDGES)):
            boxes = self._box(prompt.place, [self._bin_of[answer[place]] for place in places])
        elif not places and found is not None and found[0] in self.task.empty_labels:
            boxes = []
        if found is None:
            return Said(None, None, boxes)
        return Said(Statement(found[0], descriptors_in(self.task, behind)), None, boxes)

    def _box(self, place: Letterbox, bins: list[int]) -> list[Box] | None:
        """The box on the unit square of the image; None where it is inverted or beside it."""
        box = bins_box(bins, self.reader.location_bins)
        inside = None if box is None else place.to_image(box)
        return [inside.scaled(1 / place.columns, 1 / place.rows)] if inside else None

    def look(self, prompt: PackedPrompt, answer: Sequence[int], named: slice) -> FloatArray:
        """See `TextPolicy`.

        Raises:
            NotImplementedError: always, since it shows none.
        """
        raise NotImplementedError("the embedded reader must not be asked where it looked")

    def _text(self, ids: Sequence[int]) -> str:
        return str(self.reader.tokenizer.decode(list(ids), skip_special_tokens=True))
