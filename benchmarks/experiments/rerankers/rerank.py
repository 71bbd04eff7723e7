"""Rerankers: ways to choose or weigh a case's candidates once each has been read.

Source: arXiv:2508.17394 compares rerankers and finds a large gap between them and an oracle. Ours:
zero-cost ones from what the reader said, and a trained one that estimates, candidate by candidate,
whether it leads to the right answer (a usefulness head on the reader's answers).

Letters in docstrings: N cases, K candidates, C classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

from jomed_app.evaluation.report.scores import SystemScores
from jomed_app.evaluation.systems import RawCase
from jomed_app.inference.aggregate import marginalize

FloatArray = NDArray[np.float64]


def by_confidence(raw: RawCase) -> FloatArray:
    """(K,) the reader's highest probability beside each candidate."""
    return np.asarray(np.exp(raw.retrieved).max(-1))


def by_margin(raw: RawCase) -> FloatArray:
    """(K,) the reader's two highest probabilities apart."""
    ordered = np.sort(np.exp(raw.retrieved), axis=-1)
    return np.asarray(ordered[:, -1] - ordered[:, -2])


def by_cosine(raw: RawCase) -> FloatArray:
    """(K,) head-normalized retriever scores."""
    return raw.scores


CHOOSERS: Mapping[str, Callable[[RawCase], FloatArray]] = {
    "rerank_confidence": by_confidence,
    "rerank_margin": by_margin,
    "rerank_cosine": by_cosine,
}
RERANKERS = (*CHOOSERS, "self_consistency")


def rerank(raw: RawCase) -> dict[str, SystemScores]:
    """Answers of the rerankers that need no training; first of equals.

    `self_consistency` lets every candidate's answer vote; ties go to the larger mean probability.
    """
    said = np.exp(raw.retrieved)
    found = {}
    for name, score in CHOOSERS.items():
        weights = np.zeros(len(said))
        weights[int(score(raw).argmax())] = 1.0
        found[name] = _scores(raw, weights @ said, weights)
    equal = np.full(len(said), 1.0 / len(said))
    votes = np.bincount(said.argmax(-1), minlength=said.shape[-1]) / len(said)
    probabilities = 0.99 * votes + 0.01 * said.mean(0)
    found["self_consistency"] = _scores(raw, probabilities, equal)
    return found


def _scores(raw: RawCase, probabilities: FloatArray, weights: FloatArray) -> SystemScores:
    return SystemScores(
        probabilities=np.asarray(probabilities / probabilities.sum()),
        candidate_probabilities=np.exp(raw.retrieved),
        weights=weights,
        candidate_labels=raw.retrieved_labels,
    )


@dataclass(frozen=True, slots=True)
class UsefulnessHead:
    """Logistic model of "beside this candidate the reader is right".

    Attributes:
        mean, scale: (F,) of the features.
        weights: (F,); bias: float.
    """

    mean: FloatArray
    scale: FloatArray
    weights: FloatArray
    bias: float

    def logits(self, raw: RawCase) -> FloatArray:
        """(K,) log-odds that each candidate leads to the right answer."""
        features = (usefulness_features(raw) - self.mean) / self.scale
        return np.asarray(features @ self.weights + self.bias)

    def answer(self, raw: RawCase) -> SystemScores:
        """Marginal over candidates, weighed by their odds of being right."""
        log_weights = log_softmax(self.logits(raw))
        probabilities = np.exp(marginalize(log_weights, raw.retrieved))
        return _scores(raw, probabilities, softmax(self.logits(raw)))


def usefulness_features(raw: RawCase) -> FloatArray:
    """(K, F) what is known of a candidate when it has been read; nothing of the truth.

    Score, head, confidence, margin; what the reader without a candidate, the linear head and the
    nearest cases give to the candidate's answer; the share of candidates that agree with it; and
    whether it is the candidate's own label.
    """
    said = raw.retrieved.argmax(-1)
    vote = np.bincount(raw.neighbor_labels[:32], minlength=len(raw.plain)) / max(
        1, len(raw.neighbor_labels[:32])
    )
    agree = (said[:, None] == said[None]).mean(-1)
    columns = [
        raw.scores,
        raw.is_text.astype(np.float64),
        by_confidence(raw),
        by_margin(raw),
        np.exp(raw.plain)[said],
        np.exp(raw.backbone)[said],
        vote[said],
        agree,
        (said == raw.retrieved_labels).astype(np.float64),
    ]
    return np.stack(columns, axis=-1)


def fit_usefulness(raw: Sequence[RawCase], labels: NDArray[np.intp]) -> UsefulnessHead:
    """Fit on out-of-fold cases; where all candidates are right, or all wrong, all count alike.

    Args:
        raw: N cases.
        labels: (N,) true label indexes.
    """
    from sklearn.linear_model import LogisticRegression

    features = np.concatenate([usefulness_features(case) for case in raw])
    right = np.concatenate(
        [case.retrieved.argmax(-1) == label for case, label in zip(raw, labels, strict=True)]
    )
    mean, scale = features.mean(0), features.std(0) + 1e-6
    if right.all() or not right.any():
        return UsefulnessHead(mean, scale, np.zeros_like(mean), 0.0)
    model = LogisticRegression(C=0.3, max_iter=1000).fit((features - mean) / scale, right)
    return UsefulnessHead(mean, scale, model.coef_[0], float(model.intercept_[0]))
