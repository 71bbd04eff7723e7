"""Log-probabilities out of a server's answer, or nothing: no number is ever made up.

Servers may leave them out in silence (`transformers serve` does), and some give them after the
constraint has taken its effect, when what must be said is certain.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

NO_MASS = -9000.0  # servers write -9999 for what cannot be said
CERTAIN = -1e-6
MOST_END_TOKENS = 4  # that a template writes behind an answer, a line break among them

LogProb = Annotated[float, Field(le=1e-3, allow_inf_nan=False)]


class _Token(BaseModel):
    token: str
    logprob: LogProb


class _Said(_Token):
    top_logprobs: list[_Token] = []


class _LogProbs(BaseModel):
    content: list[_Said] | None = None


class _Message(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    message: _Message
    logprobs: _LogProbs | None = None


class _PromptToken(BaseModel):
    logprob: LogProb
    decoded_token: str | None = None


class ChatAnswer(BaseModel):
    """What is used of a chat completion; `prompt_logprobs` is vLLM's own."""

    choices: Annotated[list[_Choice], Field(min_length=1)]
    prompt_logprobs: list[dict[str, _PromptToken] | None] | None = None


def parse_answer(answer: Any) -> ChatAnswer | None:
    """Read a chat completion; None if it is none."""
    try:
        return ChatAnswer.model_validate(answer)
    except ValidationError:
        return None


def text_of(answer: ChatAnswer) -> str:
    """Return what was said."""
    return answer.choices[0].message.content or ""


def first_token(answer: ChatAnswer) -> dict[str, float] | None:
    """Log-probabilities of what could have been said first, by text; None if there are none."""
    said = _said(answer)
    if not said:
        return None
    found: dict[str, float] = {}
    for each in (*said[0].top_logprobs, said[0]):
        if each.logprob > NO_MASS:
            found[each.token] = max(each.logprob, found.get(each.token, -math.inf))
    return found


def forced_answer(answer: ChatAnswer, text: str, *, complete: bool) -> float | None:
    """Log-probability of a text that the server was made to say, nats; None if it did not tell.

    Ours: where a text can be cut into tokens in several ways, it is that of the way it was said in.

    Args:
        answer: with the tokens that were said.
        text: that had to be said.
        complete: whether the token that ends the answer counts too.
    """
    tokens = [(each.token, each.logprob) for each in _said(answer) or ()]
    for count in range(1, len(tokens) + 1):
        if "".join(token for token, _ in tokens[:count]) == text:
            return _sum(tokens[: count + complete]) if len(tokens) >= count + complete else None
    return None


def prompted_answer(answer: ChatAnswer, text: str, *, complete: bool) -> float | None:
    """Log-probability of a text at the end of a prompt, nats; None if the server did not tell.

    Args:
        answer: with the tokens of the prompt.
        text: that the prompt ends with; behind it, at most the end of a turn.
        complete: whether the first token behind it counts too.
    """
    tokens = [
        (token.decoded_token or "", token.logprob)
        for each in answer.prompt_logprobs or ()
        if each
        for token in [next(iter(each.values()))]  # the prompt's own stands before likelier ones
    ]
    for behind in range(1, MOST_END_TOKENS + 1) if complete else (0,):
        end = len(tokens) - behind
        for start in range(end - 1, -1, -1):
            joined = "".join(token for token, _ in tokens[start:end])
            if joined == text:
                return _sum(tokens[start : end + complete])
            if len(joined) > len(text):
                break
    return None


def are_all_certain(log_probs: Sequence[float]) -> bool:
    """Whether several different answers are each said to be certain: the constraint is counted."""
    return len(log_probs) > 1 and min(log_probs) > CERTAIN


def _sum(tokens: Sequence[tuple[str, float]]) -> float | None:
    """Log-probability of all tokens together; None where one could not be said at all."""
    log_probs = [log_prob for _, log_prob in tokens]
    return math.fsum(log_probs) if min(log_probs) > NO_MASS else None


def _said(answer: ChatAnswer) -> list[_Said] | None:
    told = answer.choices[0].logprobs
    return told.content if told else None
