"""Free answers: every row says its own, all of them are weighed in every row, one comes out.

Source: arXiv:2508.17394, p(a | q) = sum over k of p(z_k | q) p(a | q, z_k).
Ours: the sum runs over the union of the answers that the rows say themselves. Each is scored in
every row by its summed log-likelihood, the end of the answer included, or a beginning ("left")
would always beat the whole ("left lung"); a row is then normalized over the union.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_softmax

from jomed_app.inference.aggregate import marginalize
from jomed_app.inference.answer_vote import answer_key
from jomed_app.models.reader.packed import CandidateInput, ImageEncoding, Reader

FloatArray = NDArray[np.float64]
_BETWEEN_FINDINGS = re.compile(r"[,;]|\band\b")
MAX_ANSWER_TOKENS = 8  # ours: 19 of 20 answers of SLAKE and 9 of 10 of VQA-RAD are no longer


@dataclass(frozen=True, slots=True)
class FreeAnswer:
    """What is answered to one question, and what each candidate led to.

    Attributes:
        text: the answer of greatest marginal probability.
        plain: the row without a candidate's own answer.
        candidates: each candidate's answer of greatest probability, K of them.
        strings: the union, U different answers.
        log_prob: (U,) marginal over the candidates, nats, normalized.
        row_log_prob: (K + 1, U) of every row, the one without a candidate last, normalized.
    """

    text: str
    plain: str
    candidates: tuple[str, ...]
    strings: tuple[str, ...]
    log_prob: FloatArray
    row_log_prob: FloatArray

    @property
    def is_inconsistent(self) -> bool:
        """Whether the candidates lead to more than one answer (arXiv:2508.17394)."""
        return len(set(self.candidates)) > 1


def answer_freely(
    reader: Reader,
    query: ImageEncoding,
    question: str,
    candidates: Sequence[CandidateInput],
    log_weights: ArrayLike,
    *,
    options: Sequence[str] = (),
    max_tokens: int = MAX_ANSWER_TOKENS,
) -> FreeAnswer:
    """Answer a question in free words beside K candidates.

    Args:
        reader: reads all rows at once.
        query: the encoded image.
        question: as asked.
        candidates: K >= 0 known cases; without any, the query is read alone.
        log_weights: (K,) log p(candidate | query), nats; normalized here.
        options: answers that are weighed in any case, such as yes and no.
        max_tokens: length at which an answer is cut, >= 1.

    Returns:
        The answer, and what it was made of.

    Raises:
        ValueError: if max_tokens < 1 or the weights do not fit the candidates.
    """
    weights = np.asarray(log_weights, dtype=np.float64)
    if weights.shape != (len(candidates),):
        raise ValueError(
            f"log_weights must be one number per candidate, found shape {weights.shape} for "
            f"{len(candidates)} candidates"
        )
    reading = reader.read(query, question, candidates)
    said = [_to_text(reader, ids) for ids in reader.generate(reading, max_tokens)]
    strings = unite_answers([*said, *options])
    ids = [reader.rows.answer(f" {text}", complete=True) for text in strings]
    scores = reader.score_answers(reading, ids).double().numpy()
    return weigh_answers(strings, scores, weights)


def weigh_answers(
    strings: Sequence[str], log_likelihood: FloatArray, log_weights: FloatArray
) -> FreeAnswer:
    """Marginalize over the candidates.

    Args:
        strings: U different answers.
        log_likelihood: (K + 1, U) log p(answer | row), nats, the row without a candidate last.
        log_weights: (K,) nats.
    """
    rows = np.asarray(log_softmax(log_likelihood, axis=-1), dtype=np.float64)
    marginal = marginalize(log_weights, rows[:-1]) if len(rows) > 1 else rows[-1]
    best = rows.argmax(axis=-1)
    return FreeAnswer(
        text=strings[int(marginal.argmax())],
        plain=strings[int(best[-1])],
        candidates=tuple(strings[place] for place in best[:-1]),
        strings=tuple(strings),
        log_prob=marginal,
        row_log_prob=rows,
    )


def unite_answers(answers: Sequence[str]) -> tuple[str, ...]:
    """Return the different answers in the order of their first mention; case does not count.

    Nothing said at all is one answer, the empty one.
    """
    found: dict[str, str] = {}
    for answer in answers:
        text = " ".join(answer.split())
        if text:
            found.setdefault(answer_key(text), text)
    return tuple(found.values()) or ("",)


def finding_probabilities(answer: FreeAnswer, findings: Sequence[str]) -> FloatArray:
    """Return (L,) the probability that each finding is named: the mass of answers that list it.

    An answer lists findings separated by commas, semicolons or "and"; case does not count.
    """
    found = np.zeros(len(findings))
    for text, share in zip(answer.strings, np.exp(answer.log_prob), strict=True):
        parts = {part.strip().casefold() for part in _BETWEEN_FINDINGS.split(text)}
        found += [share if name.casefold() in parts else 0.0 for name in findings]
    return found


def _to_text(reader: Reader, ids: Sequence[int]) -> str:
    return str(reader.tokenizer.decode(list(ids), skip_special_tokens=True))
