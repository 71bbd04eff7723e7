"""How each kind of server is told which words it may say, and asked how likely they were."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Constraint = Callable[[Sequence[str]], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Dialect:
    """One kind of server.

    Attributes:
        constraint: choices -> fields of a question to which one of them must be the answer.
        scores_prompts: whether it tells how likely each token of a prompt was, so that an answer
            can be put into its mouth; otherwise it is made to say it.
        needs: what gives log-probabilities, for errors.
    """

    constraint: Constraint
    scores_prompts: bool
    needs: str


def _structured(choices: Sequence[str]) -> Mapping[str, Any]:
    return {"structured_outputs": {"choice": list(choices)}}


def _guided(choices: Sequence[str]) -> Mapping[str, Any]:
    return {"guided_choice": list(choices)}


def _grammar(choices: Sequence[str]) -> Mapping[str, Any]:
    """GBNF; its strings are escaped as JSON's are."""
    words = " | ".join(json.dumps(each, ensure_ascii=False) for each in choices)
    return {"grammar": f"root ::= {words}"}


def _none(choices: Sequence[str]) -> Mapping[str, Any]:
    return {}


_VLLM = "start vLLM with --max-logprobs 20 --logprobs-mode raw_logprobs"

DIALECTS: Mapping[str, Dialect] = {
    "vllm": Dialect(_structured, True, _VLLM),
    "vllm_guided": Dialect(_guided, True, _VLLM),
    "llama_server": Dialect(_grammar, False, "take a llama-server that answers `logprobs`"),
    "openai": Dialect(_none, False, "take vLLM or llama-server, or labels that are one token"),
}
