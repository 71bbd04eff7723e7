"""A reader that learns: a LoRA adapter on its language part, and the loss of answers.

Source: arXiv:2508.17394 tunes Qwen2-VL and Pixtral in 4 bits so; arXiv:2305.14314 (QLoRA).
Ours: rows are built as for reading, with images encoded once without gradient, so that the vision
part never runs in a step; norms stay in the model's number type, adapters are in fp32.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from jomed_app.models.adapters import add_adapter, resume_adapter, save_adapter
from jomed_app.models.memory import memory_of
from jomed_app.models.reader.vlm.reader import VlmReader
from jomed_app.models.reader.vlm.rows import Row

# Every linear layer of the language part in every family, and none of the vision part.
LANGUAGE_LINEARS = (
    r".*\.(?:language_model|text_model)\.layers\.\d+\.(?:self_attn|linear_attn|mlp)\.\w*proj\w*"
)
LOWER = "train_reader.batch_size, train_reader.num_candidates or reader.max_side_px"


class TunedReader:
    """A reader with an adapter that learns or is at rest; it reads as before in between.

    Args:
        reader: loaded and not laid out for answers (`VlmReader.prepare`); its model is changed in
            place.
        adapted: PEFT's wrapper around the model.
    """

    def __init__(self, reader: VlmReader, adapted: nn.Module) -> None:
        self.reader = reader
        self.adapted: Any = adapted
        model: Any = reader.model
        model.activation_checkpointing_enable({"use_reentrant": False})
        self.rest()

    @property
    def model(self) -> nn.Module:
        """What a loop trains: only the adapter's weights have `requires_grad`."""
        return self.reader.model

    def learn(self) -> None:
        """Make the language part learn; activations are computed again in the backward pass."""
        self.reader.model.eval()
        self.reader.model.get_decoder().train()

    def rest(self) -> None:
        """Make the reader read."""
        self.reader.model.eval()

    @contextmanager
    def set_aside(self) -> Iterator[None]:
        """Read without the adapter: the reference that a tuned reader is compared with."""
        with self.adapted.disable_adapter():
            yield

    def save(self, folder: Path, base: str = "") -> None:
        """Write the adapter where `reader.adapter` finds it.

        Args:
            folder: replaced once the new one is whole.
            base: name of the model, as the folder shall tell it.
        """
        save_adapter(self.adapted, folder, base)

    def answer_log_prob(
        self,
        rows: Sequence[Row],
        answers: Sequence[Sequence[int]],
        hidden: Sequence[Sequence[int]] = (),
    ) -> Tensor:
        """Log-probability of every answer token, with gradients where they are on.

        Only the columns that predict an answer become logits, so rows are padded on the left.

        Args:
            rows: R prompts.
            answers: ids of each one's answer, one at least.
            hidden: of each row the places in its prompt that are not attended to; or nothing.

        Returns:
            (R, T) nats, float32; 0 behind a row's answer.

        Raises:
            ValueError: if an answer has no token.
            MemoryShortError: if the rows do not fit.
        """
        if not all(answers):
            raise ValueError("every answer to learn must have at least one token")
        longest = max(map(len, answers))
        with memory_of(LOWER):
            inputs = self.reader.inputs.padded(rows, answers, side="left")
            labels = inputs.pop("labels")[:, -longest:]
            width = inputs["attention_mask"].shape[1]
            for place, (row, answer, lost) in enumerate(
                zip(rows, answers, hidden or [()] * len(rows), strict=True)
            ):
                first = width - len(row.ids) - len(answer)
                inputs["attention_mask"][place, [first + each for each in lost]] = 0
            model: Any = self.reader.model
            logits = model(**inputs, use_cache=False, logits_to_keep=longest + 1).logits
            said = functional.log_softmax(logits[:, :-1].float(), dim=-1)
        asked = labels >= 0
        found = said.gather(-1, labels.clamp(min=0)[..., None])[..., 0].where(asked, 0.0)
        # Answers end together; let them begin together.
        order = torch.argsort(asked.long(), dim=1, descending=True, stable=True)
        return found.gather(1, order)


def attach_adapter(
    reader: VlmReader,
    *,
    rank: int = 8,
    alpha: int = 16,
    dropout: float = 0.0,
    whole: Sequence[str] = (),
    start: Path | None = None,
    seed: int = 0,
) -> TunedReader:
    """Give a reader an adapter that learns, in place: fresh, or one that was written.

    Args:
        reader: loaded without an adapter, in any precision: int8 and NF4 stay as they are (QLoRA).
        rank: of a fresh adapter.
        alpha: its change of a layer is scaled by alpha / rank.
        dropout: on what goes into a fresh one, in [0, 1).
        whole: ends of the names of modules of which a copy learns as a whole, a fresh one's.
        seed: of a fresh one's weights.
        start: folder of an adapter to go on with.

    Raises:
        ConfigError: if the folder holds no adapter that fits.
        ValueError: if the reader is in 4 bits and was laid out for answers.
    """
    if start is not None:
        adapted = resume_adapter(reader.model, start)
    else:
        adapted = add_adapter(
            reader.model,
            layers=LANGUAGE_LINEARS,
            rank=rank,
            alpha=alpha,
            dropout=dropout,
            whole=whole,
            seed=seed,
        )
    return TunedReader(reader, adapted)
