"""Inconsistent retrieval predictions: how often candidates lead to different answers.

Source: arXiv:2508.17394 (a case is inconsistent when its candidates give more than one
prediction; the oracle counts a case as solved when any candidate leads to the right answer).
Ours: the inconsistent subset is fixed by one reference system, so that all systems are compared
on the same cases; an oracle never stands without what chance alone would reach.

A case's candidates are one (K, C) array; K may differ from case to case (duplicates are merged).
Letters in docstrings: N cases, K candidates, C classes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jomed_app.inference.conclusion.aggregate import candidate_predictions

Candidates = Sequence[NDArray[np.float64]]

MIN_PROBABILITY = 1e-12


def is_inconsistent(candidates: Candidates) -> NDArray[np.bool_]:
    """Return (N,), True where a case's candidates give more than one prediction.

    Args:
        candidates: N arrays (K, C), p(label | query, candidate).

    Raises:
        ValueError: if a case has no candidate.
    """
    return np.array(
        [len(set(candidate_predictions(_log(c)).tolist())) > 1 for c in candidates], bool
    )


def oracle_accuracy(candidates: Candidates, labels: ArrayLike) -> float:
    """Return the share of cases that at least one candidate leads to the right answer.

    Raises:
        ValueError: if there is no case, a case has no candidate or the lengths differ.
    """
    index = _checked_labels(candidates, labels)
    solved = [
        label in candidate_predictions(_log(rows)).tolist()
        for rows, label in zip(candidates, index.tolist(), strict=True)
    ]
    return float(np.mean(solved))


def pass_at_k(
    candidates: Candidates, weights: Sequence[ArrayLike], labels: ArrayLike, k: int
) -> float:
    """Return the share of cases that one of the k heaviest candidates leads to the right answer.

    A case with fewer candidates counts with all that it has. With k = 1 this is the accuracy
    beside the heaviest candidate alone, with k as large as K the oracle.

    Args:
        candidates: N arrays (K, C), p(label | query, candidate).
        weights: N arrays (K,), p(candidate | query); of equal ones the first counts as heavier.
        labels: (N,) label indexes.
        k: >= 1.

    Returns:
        In [0, 1]; NaN where no case has k candidates, so that it would repeat a smaller k.

    Raises:
        ValueError: if there is no case, a case has no candidate, lengths differ or k < 1.
    """
    if k < 1:
        raise ValueError(f"k must be >= 1, found {k}")
    _checked_labels(candidates, labels)
    if max(map(len, candidates)) < k:
        return math.nan
    heaviest = [
        rows[np.argsort(-np.asarray(each, dtype=np.float64), kind="stable")[:k]]
        for rows, each in zip(candidates, weights, strict=True)
    ]
    return oracle_accuracy(heaviest, labels)


def chance_oracle(candidates: Candidates) -> float:
    """Return the oracle accuracy of independent uniform guesses, mean of 1 - (1 - 1/C)^K.

    Four guesses reach 0.94 with two classes and 0.59 with five: read an oracle against this.

    Raises:
        ValueError: if there is no case.
    """
    if not candidates:
        raise ValueError("an oracle needs one case or more, found none")
    return float(np.mean([1 - (1 - 1 / rows.shape[1]) ** rows.shape[0] for rows in candidates]))


def label_agreement_at_k(candidate_labels: Sequence[ArrayLike], labels: ArrayLike) -> float:
    """Return the share of candidates that carry the query's own label, mean over cases.

    Args:
        candidate_labels: N arrays (K,) of label indexes.
        labels: (N,) label indexes.

    Raises:
        ValueError: if there is no case, a case has no candidate or the lengths differ.
    """
    index = _checked_labels(candidate_labels, labels)
    shares = []
    for found, label in zip(candidate_labels, index, strict=True):
        if np.size(found) == 0:
            raise ValueError("label agreement needs one candidate or more per case, found none")
        shares.append(float(np.mean(np.asarray(found) == label)))
    return float(np.mean(shares))


def answer_variance(candidates: Candidates, labels: ArrayLike) -> float:
    """Return the variance over candidates of log p(true label), nats squared, mean over cases.

    Near 0 the reader ignores its candidates, and no retriever can be trained on it.
    Probabilities are held above 1e-12.

    Raises:
        ValueError: if there is no case, a case has no candidate or the lengths differ.
    """
    index = _checked_labels(candidates, labels)
    variances = []
    for rows, label in zip(candidates, index, strict=True):
        if len(rows) == 0:
            raise ValueError("answer variance needs one candidate or more per case, found none")
        variances.append(float(np.var(_log(rows)[:, label])))
    return float(np.mean(variances))


def _log(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log-probabilities, floored."""
    return np.log(np.maximum(np.asarray(rows, dtype=np.float64), MIN_PROBABILITY))


def _checked_labels(cases: Sequence[ArrayLike], labels: ArrayLike) -> NDArray[np.intp]:
    """One label per case, one case or more."""
    index = np.asarray(labels, dtype=np.intp)
    if len(cases) == 0 or index.shape != (len(cases),):
        raise ValueError(
            f"one label per case and one case or more, found {index.shape} for {len(cases)} cases"
        )
    return index
