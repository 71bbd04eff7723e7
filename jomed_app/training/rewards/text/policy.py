"""What rewards ask of a reader that writes: to sample, to tell how likely, and to be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import torch
from torch import Tensor, nn

from jomed_app.models.reader.protocol import FloatArray, RgbImage
from jomed_app.objectives.umed.ppo import token_entropy
from jomed_app.training.rewards.text.case import RewardedCase
from jomed_app.training.rewards.text.statements import Said

Prompt: TypeAlias = Any
"""One image and the question; only the policy that made it knows what it holds."""


@dataclass(frozen=True, slots=True)
class TextTokens:
    """What a policy says of the tokens of G answers to one query, R at most.

    Attributes:
        log_prob: (G, R) of each token, nats; 0 where there is none.
        entropy: (G, R) of what each token was drawn from, nats.
        hidden: (G, R, D) last hidden state that predicts each token, without gradient.
        keep_mask: (G, R) True = a token of the answer, its end included.
    """

    log_prob: Tensor
    entropy: Tensor
    hidden: Tensor
    keep_mask: Tensor


def text_tokens(logits: Tensor, said: Tensor, keep_mask: Tensor, hidden: Tensor) -> TextTokens:
    """Put together what is known of tokens.

    Args:
        logits: (G, R, V) of the policy; -inf where it never says a token.
        said: (G, R) ids; anything where there is none.
        keep_mask: (G, R) True = a token.
        hidden: (G, R, D) states that predict them.
    """
    log_prob = logits.log_softmax(-1).gather(-1, said[..., None])[..., 0]
    return TextTokens(
        log_prob.masked_fill(~keep_mask, 0.0),
        token_entropy(logits),
        hidden.detach().float(),
        keep_mask,
    )


class TextPolicy(Protocol):
    """A reader that answers one question, and learns."""

    @property
    def model(self) -> nn.Module:
        """What a loop trains; only what learns has `requires_grad`."""

    @property
    def width(self) -> int:
        """D of a hidden state."""

    @property
    def device(self) -> torch.device:
        """Where it lies."""

    @property
    def writes_boxes(self) -> bool:
        """Whether it can say where a finding is."""

    @property
    def shows_attention(self) -> bool:
        """Whether `look` may be asked."""

    def learn(self) -> None:
        """Make it learn."""

    def rest(self) -> None:
        """Make it write."""

    def prompt(self, image: RgbImage) -> Prompt:
        """Ask of one (rows, columns, 3) uint8 image; the vision part does not learn."""

    def sample(self, prompt: Prompt, count: int, generator: torch.Generator) -> list[list[int]]:
        """Draw G answers to one prompt, in ids, each with its end where it has one."""

    def tokens(
        self, prompt: Prompt, answers: Sequence[Sequence[int]], temperature: float | None = None
    ) -> TextTokens:
        """How likely each token of G answers is; gradients are kept where they are on.

        Args:
            prompt: that they answer.
            answers: ids, one each at least.
            temperature: of the policy; None takes the one that it samples with.
        """

    def true_answer(self, prompt: Prompt, case: RewardedCase) -> list[int]:
        """Ids of what should be said; without an end where not all of it is known."""

    def read(self, prompt: Prompt, answer: Sequence[int]) -> Said:
        """What an answer says."""

    def look(self, prompt: Prompt, answer: Sequence[int], named: slice) -> FloatArray:
        """(rows, columns) attention of some of an answer's tokens to the image, >= 0."""
