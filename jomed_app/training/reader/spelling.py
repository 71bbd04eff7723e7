"""The projector learns to spell first: an image's tokens lie near the word of what it shows.

Ours: a fresh projector says nothing that the language model knows, and the way back through all of
its layers is long and dear. Before the reader is tuned, the projector alone is taught that its
tokens, summed up, point towards the embedding of the label's first word among those of the other
labels. The language model is not run, so that this takes seconds; it then starts from words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from jomed_app.models.reader.packed import PackedReader
from jomed_app.progress import OnProgress
from jomed_app.training.run.loop import LoopSettings, no_progress, run_loop

BATCH_SIZE = 64
LR = 1e-3
WEIGHT_DECAY = 0.05
DROPOUT = 0.3  # of the tower's channels: no few of them may decide
LABEL_SMOOTHING = 0.1


class WordSums(nn.Module):
    """How far an image's tokens point towards each label's word.

    Args:
        words: (C, D) embeddings of the labels' first words.
        num_leading: tokens of the whole image in front of the patches.
    """

    directions: Tensor

    def __init__(self, words: Tensor, num_leading: int) -> None:
        super().__init__()
        apart = words.detach().float() - words.detach().float().mean(0)
        self.register_buffer("directions", functional.normalize(apart, dim=-1))
        self.num_leading = num_leading
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.offset = nn.Parameter(torch.zeros(len(words)))

    def forward(self, features: Tensor) -> list[Tensor]:
        """Logits (B, C) of the leading tokens, if there are any, and of the patches.

        Args:
            features: (B, T, D) projected tokens.
        """
        leading, patches = features.tensor_split([self.num_leading], dim=1)
        parts = [leading, patches] if self.num_leading else [patches]
        return [self.scale * (part.mean(1) @ self.directions.T) + self.offset for part in parts]


def spell_labels(
    reader: PackedReader,
    tokens: Tensor,
    rows: NDArray[np.int64],
    labels: Sequence[str],
    answers: Sequence[str],
    out: Path,
    *,
    steps: int,
    seed: int = 0,
    resume: bool = False,
    on_progress: OnProgress = no_progress,
) -> list[dict[str, float]]:
    """Teach a reader's projector, in place; nothing else of it changes.

    Args:
        reader: with its projector in fp32.
        tokens: (V, N, T, C) of the tower, V views of N images.
        rows: (R,) images that teach.
        labels: R labels of theirs.
        answers: the C labels there are, in order.
        out: checkpoint folder.
        steps: optimizer steps.
        seed: of batches and dropout.
        resume: continue from its checkpoint.
        on_progress: called after every step.

    Returns:
        The log of the steps run now: "loss", nats, averaged over both sums.
    """
    projector = reader.model.model.multi_modal_projector
    first = [reader.prompts.answer(f" {answer}")[0] for answer in answers]
    words: Tensor = reader.model.get_input_embeddings().weight  # type: ignore[assignment]
    sums = WordSums(words[first], reader.num_leading)
    truth = torch.tensor([list(answers).index(label) for label in labels])

    def step_loss(step: int) -> Mapping[str, Tensor]:
        generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
        drawn = torch.randint(len(rows), (BATCH_SIZE,), generator=generator)
        views = torch.randint(len(tokens), (BATCH_SIZE,), generator=generator)
        seen = tokens[views, torch.from_numpy(rows)[drawn]].float()
        kept = torch.rand(seen.shape, generator=generator) >= DROPOUT
        logits = sums(projector(seen * kept / (1 - DROPOUT)))
        losses = [
            functional.cross_entropy(each, truth[drawn], label_smoothing=LABEL_SMOOTHING)
            for each in logits
        ]
        return {"loss": torch.stack(losses).mean()}

    return run_loop(
        {"projector": projector, "sums": sums},
        step_loss,
        LoopSettings(steps, LR, weight_decay=WEIGHT_DECAY),
        out,
        resume=resume,
        on_progress=on_progress,
    )
