"""Candidates to one answer: weights, marginal, leave-one-out, and how far the candidates agree.

Source: arXiv:2508.17394 (JOMED), p(a | q) = sum over k of p(z_k | q) p(a | q, z_k).
Ours: everything stays in log space and is a probability; the authors' release averages raw logits.

Letters in docstrings: B queries (any leading axes), K candidates, C answers (labels).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_softmax, logsumexp

from jomed_app.types import ConsistencyState

FloatArray = NDArray[np.float64]

TIE_TOLERANCE_NATS = 1e-9
"""Two answers nearer than this are a tie; rounding must not report a flipped diagnosis."""


def candidate_log_weights(scores: ArrayLike, temperature: float = 1.0) -> FloatArray:
    """Return `retriever_log_prob`, the log-softmax of retriever scores / temperature.

    Args:
        scores: (..., K) inner products, higher is better; -inf marks a candidate left out.
        temperature: > 0; small values trust the best hit, large ones give equal weights.

    Returns:
        (..., K) nats, each row normalized.

    Raises:
        ValueError: if there is no candidate, a score is NaN or +inf, or temperature <= 0.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be > 0, found {temperature}")
    rows = _checked_rows(scores, "scores", "candidate")
    return np.asarray(log_softmax(rows / temperature, axis=-1), dtype=np.float64)


def head_log_weights(
    relative_scores: ArrayLike, is_text: ArrayLike, temperature: float, text_offset: float
) -> FloatArray:
    """Return `retriever_log_prob` when the two searches deserve different trust.

    Ours: a learned offset for candidates that only the text search found.

    Args:
        relative_scores: (..., K) head-normalized scores; -inf marks a candidate left out.
        is_text: (..., K) True where the text search alone found the candidate.
        temperature: > 0.
        text_offset: nats added to such a candidate's log-weight.

    Returns:
        (..., K) nats, normalized.

    Raises:
        ValueError: as `candidate_log_weights`.
    """
    offset = temperature * text_offset * np.asarray(is_text, dtype=np.float64)
    return candidate_log_weights(
        np.asarray(relative_scores, dtype=np.float64) + offset, temperature
    )


def marginalize(log_weights: ArrayLike, answer_log_prob: ArrayLike) -> FloatArray:
    """Return log p(a | q) = logsumexp over k of log p(z_k | q) + log p(a | q, z_k).

    Weights are normalized over candidates and every row over answers first, so unnormalized
    log-likelihoods (of any size, e^-1000 too) and subsets of candidates may be passed.

    Args:
        log_weights: (..., K) nats; -inf leaves a candidate out (padding, removed by the user).
        answer_log_prob: (..., K, C) nats; a row may hold -inf, but not -inf alone.

    Returns:
        (..., C) nats, each row normalized.

    Raises:
        ValueError: if shapes do not fit, K or C is 0, every candidate is left out, a value is
            NaN or +inf, or a candidate that counts gives -inf to every answer.
    """
    weights, answers = _normalized(log_weights, answer_log_prob)
    return np.asarray(logsumexp(weights[..., None] + answers, axis=-2), dtype=np.float64)


def guided_log_prob(
    answer_log_prob: ArrayLike, no_retrieval_log_prob: ArrayLike, strength: float
) -> FloatArray:
    """Return the answers with the candidate's influence turned up, normalized over answers.

    Ours: classifier-free-guidance form, log p' = (1 + s) log p(a | q, z) - s log p(a | q) + const;
    s = 0 is the plain reader.

    Args:
        answer_log_prob: (..., K, C) nats.
        no_retrieval_log_prob: (..., C) nats, the reader without a candidate; finite.
        strength: s >= 0.

    Returns:
        (..., K, C) nats, each row normalized.

    Raises:
        ValueError: if strength < 0, shapes do not fit or a no-retrieval value is not finite.
    """
    if not strength >= 0:
        raise ValueError(f"guidance strength must be >= 0, found {strength}")
    answers = _checked_rows(answer_log_prob, "answer_log_prob", "answer")
    plain = np.asarray(no_retrieval_log_prob, dtype=np.float64)
    if answers.ndim < 2 or plain.shape != (*answers.shape[:-2], answers.shape[-1]):
        raise ValueError(
            "no_retrieval_log_prob must be (..., C) beside (..., K, C), "
            f"found {plain.shape} and {answers.shape}"
        )
    if not np.isfinite(plain).all():
        raise ValueError("no_retrieval_log_prob must be finite to be divided out")
    answers = log_softmax(answers, axis=-1)
    plain = log_softmax(plain, axis=-1)
    guided = (1 + strength) * answers - strength * plain[..., None, :]
    return np.asarray(log_softmax(guided, axis=-1), dtype=np.float64)


def leave_one_out(log_weights: ArrayLike, answer_log_prob: ArrayLike) -> FloatArray:
    """Return the marginal without each candidate, weights renormalized over the rest.

    Args:
        log_weights: (..., K) nats, at least two of them above -inf.
        answer_log_prob: (..., K, C) nats.

    Returns:
        (..., K, C) nats; row k is the marginal without candidate k.

    Raises:
        ValueError: as `marginalize`, or if fewer than two candidates count.
    """
    weights, answers = _normalized(log_weights, answer_log_prob)
    num_candidates = weights.shape[-1]
    if (np.isfinite(weights).sum(axis=-1) < 2).any():
        raise ValueError(
            "leaving one out needs two candidates with weight, found fewer; keep two or more"
        )
    removed = np.eye(num_candidates, dtype=bool)
    rest = np.where(removed, -np.inf, weights[..., None, :])
    repeated = np.broadcast_to(answers[..., None, :, :], (*rest.shape, answers.shape[-1]))
    return marginalize(rest, repeated)


def consistency_states(
    answer_log_prob: ArrayLike,
    *,
    query_only: ArrayLike | None = None,
    max_spread: float = 0.3,
    counts: ArrayLike | None = None,
) -> NDArray[np.object_]:
    """Name how far the candidates' predictions agree.

    Disagree: the top class differs among candidates. (One whose removal flips the answer can
    only exist then: a mixture of rows with one top class has that top class.) Mixed: one top
    class, but its probability spreads over more than `max_spread`, or the query alone gives
    another. Consistent: the rest. Whether a case abstains is decided elsewhere.

    Source: arXiv:2508.17394, inconsistent = more than one prediction. Ours: mixed.

    Args:
        answer_log_prob: (..., K, C) nats.
        query_only: (...) index of the answer without retrieval; None when not known.
        max_spread: largest max - min of p(top class) over candidates, in [0, 1].
        counts: (..., K) True for a candidate that counts, one at least; None for all.

    Returns:
        (...) `ConsistencyState`; of a single case an array without axes.

    Raises:
        ValueError: if there is no candidate, or max_spread lies outside [0, 1].
    """
    if not 0 <= max_spread <= 1:
        raise ValueError(f"max_spread must lie in [0, 1], found {max_spread}")
    predictions = candidate_predictions(answer_log_prob)
    counted = np.ones(predictions.shape, dtype=bool) if counts is None else np.asarray(counts)
    if not counted.any(axis=-1).all():
        raise ValueError(_no_candidate("answer_log_prob", predictions.shape))
    first = counted.argmax(axis=-1)
    top = np.take_along_axis(predictions, first[..., None], axis=-1)
    disagrees = ((predictions != top) & counted).any(axis=-1)
    rows = np.asarray(answer_log_prob, dtype=np.float64)
    probability = np.exp(log_softmax(rows, axis=-1))
    of_top = np.take_along_axis(probability, top[..., None], axis=-1)[..., 0]
    spread = np.where(counted, of_top, -np.inf).max(-1) - np.where(counted, of_top, np.inf).min(-1)
    is_mixed = spread > max_spread
    if query_only is not None:
        is_mixed = is_mixed | (np.asarray(query_only) != top[..., 0])
    states = np.empty(disagrees.shape, dtype=object)
    states[...] = ConsistencyState.CONSISTENT
    states[is_mixed] = ConsistencyState.MIXED
    states[disagrees] = ConsistencyState.DISAGREE
    return states


def candidate_predictions(answer_log_prob: ArrayLike) -> NDArray[np.intp]:
    """Return the (..., K) index of the most likely answer per candidate, first one on a tie.

    Args:
        answer_log_prob: (..., K, C) nats.

    Raises:
        ValueError: if there is no candidate or no answer, or a row is not a log-probability.
    """
    answers = _checked_rows(answer_log_prob, "answer_log_prob", "answer")
    if answers.ndim < 2 or answers.shape[-2] == 0:
        raise ValueError(_no_candidate("answer_log_prob", answers.shape))
    return np.asarray(answers.argmax(axis=-1), dtype=np.intp)


def prediction_counts(answer_log_prob: ArrayLike, labels: Sequence[str]) -> dict[str, int]:
    """Return how many candidates predict each label, in the order of `labels`, zeros left out.

    Args:
        answer_log_prob: (K, C) nats.
        labels: the C label names.

    Raises:
        ValueError: if there is no candidate, or the number of labels is not C.
    """
    predictions = candidate_predictions(answer_log_prob)
    num_answers = np.asarray(answer_log_prob).shape[-1]
    if len(labels) != num_answers:
        raise ValueError(f"labels must name all {num_answers} answers, found {len(labels)} labels")
    totals = np.bincount(predictions, minlength=num_answers)
    return {label: int(total) for label, total in zip(labels, totals, strict=True) if total}


def _normalized(
    log_weights: ArrayLike, answer_log_prob: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Check shapes and values; normalize weights over K and rows over C."""
    weights = _checked_rows(log_weights, "log_weights", "candidate")
    answers = np.asarray(answer_log_prob, dtype=np.float64)
    if answers.ndim < 2 or answers.shape[:-1] != weights.shape:
        raise ValueError(
            f"answer_log_prob must be (..., K, C) beside log_weights (..., K), "
            f"found {answers.shape} and {weights.shape}"
        )
    left_out = np.isneginf(weights)
    answers = np.where(left_out[..., None], 0.0, answers)
    answers = _checked_rows(answers, "answer_log_prob", "answer")
    return (
        np.asarray(log_softmax(weights, axis=-1), dtype=np.float64),
        np.asarray(log_softmax(answers, axis=-1), dtype=np.float64),
    )


def _checked_rows(values: ArrayLike, name: str, axis_name: str) -> FloatArray:
    """Return float64 rows that have an entry, no NaN or +inf, and one value above -inf each."""
    rows = np.asarray(values, dtype=np.float64)
    if rows.ndim == 0 or rows.shape[-1] == 0:
        if axis_name == "candidate":
            raise ValueError(_no_candidate(name, rows.shape))
        raise ValueError(f"{name} must have one answer or more, found shape {rows.shape}")
    if np.isnan(rows).any() or np.isposinf(rows).any():
        raise ValueError(f"{name} must hold no NaN and no +inf; check the model that produced it")
    if np.isneginf(rows).all(axis=-1).any():
        raise ValueError(f"{name} must leave one {axis_name} above -inf in every row")
    return rows


def _no_candidate(name: str, shape: tuple[int, ...]) -> str:
    """Word the error of an empty candidate list."""
    found = f"{name} must have one candidate or more, found shape {shape}"
    return f"{found}; keep a candidate or answer from the query alone"
