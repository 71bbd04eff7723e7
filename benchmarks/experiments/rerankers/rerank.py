"""Rerankers: ways to choose or weigh a case's candidates once each has been read.

Source: arXiv:2508.17394 compares rerankers and finds a large gap between them and an oracle. Ours:
zero-cost ones from what the reader said, and a trained one that estimates, candidate by candidate,
whether it leads to the right answer (a usefulness head on the reader's answers).

Letters in docstrings: N cases, K candidates, C classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

from jomed_app.evaluation.held_out import HeldOutCase
from jomed_app.evaluation.report.scores import SystemScores
from jomed_app.inference.conclusion.aggregate import marginalize

FloatArray = NDArray[np.float64]


def answers_beside(case: HeldOutCase) -> FloatArray:
    """(K, C) what the reader says beside each candidate, nats."""
    return _known(case.evidence.candidates)


def by_confidence(raw: HeldOutCase) -> FloatArray:
    """(K,) the reader's highest probability beside each candidate."""
    return np.asarray(np.exp(answers_beside(raw)).max(-1))


def by_margin(raw: HeldOutCase) -> FloatArray:
    """(K,) the reader's two highest probabilities apart."""
    ordered = np.sort(np.exp(answers_beside(raw)), axis=-1)
    return np.asarray(ordered[:, -1] - ordered[:, -2])


def by_cosine(raw: HeldOutCase) -> FloatArray:
    """(K,) head-normalized retriever scores."""
    return _known(raw.evidence.scores)


CHOOSERS: Mapping[str, Callable[[HeldOutCase], FloatArray]] = {
    "rerank_confidence": by_confidence,
    "rerank_margin": by_margin,
    "rerank_cosine": by_cosine,
}
RERANKERS = (*CHOOSERS, "self_consistency")


def rerank(raw: HeldOutCase) -> dict[str, SystemScores]:
    """Answers of the rerankers that need no training; first of equals.

    `self_consistency` lets every candidate's answer vote; ties go to the larger mean probability.
    """
    said = np.exp(answers_beside(raw))
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


def _scores(raw: HeldOutCase, probabilities: FloatArray, weights: FloatArray) -> SystemScores:
    return SystemScores(
        probabilities=np.asarray(probabilities / probabilities.sum()),
        candidate_probabilities=np.exp(answers_beside(raw)),
        weights=weights,
        candidate_labels=raw.labels,
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

    def logits(self, raw: HeldOutCase) -> FloatArray:
        """(K,) log-odds that each candidate leads to the right answer."""
        features = (usefulness_features(raw) - self.mean) / self.scale
        return np.asarray(features @ self.weights + self.bias)

    def answer(self, raw: HeldOutCase) -> SystemScores:
        """Marginal over candidates, weighed by their odds of being right."""
        log_weights = log_softmax(self.logits(raw))
        probabilities = np.exp(marginalize(log_weights, answers_beside(raw)))
        return _scores(raw, probabilities, softmax(self.logits(raw)))


def usefulness_features(raw: HeldOutCase) -> FloatArray:
    """(K, F) what is known of a candidate when it has been read; nothing of the truth.

    Score, head, confidence, margin; what the reader without a candidate, the linear head and the
    nearest cases give to the candidate's answer; the share of candidates that agree with it; and
    whether it is the candidate's own label.
    """
    said = answers_beside(raw).argmax(-1)
    nearest = _known(raw.evidence.neighbor_labels)[:32]
    vote = np.bincount(nearest, minlength=len(raw.backbone)) / max(1, len(nearest))
    agree = (said[:, None] == said[None]).mean(-1)
    columns = [
        by_cosine(raw),
        _known(raw.evidence.is_text).astype(np.float64),
        by_confidence(raw),
        by_margin(raw),
        np.exp(_known(raw.evidence.alone))[said],
        np.exp(raw.backbone)[said],
        vote[said],
        agree,
        (said == raw.labels).astype(np.float64),
    ]
    return np.stack(columns, axis=-1)


def _known(values: NDArray[Any] | None) -> NDArray[Any]:
    assert values is not None, "a held-out case is read beside candidates"
    return values


def fit_usefulness(raw: Sequence[HeldOutCase], labels: NDArray[np.intp]) -> UsefulnessHead:
    """Fit on out-of-fold cases; where all candidates are right, or all wrong, all count alike.

    Args:
        raw: N cases.
        labels: (N,) true label indexes.
    """
    from sklearn.linear_model import LogisticRegression

    features = np.concatenate([usefulness_features(case) for case in raw])
    right = np.concatenate(
        [answers_beside(case).argmax(-1) == label for case, label in zip(raw, labels, strict=True)]
    )
    mean, scale = features.mean(0), features.std(0) + 1e-6
    if right.all() or not right.any():
        return UsefulnessHead(mean, scale, np.zeros_like(mean), 0.0)
    model = LogisticRegression(C=0.3, max_iter=1000).fit((features - mean) / scale, right)
    return UsefulnessHead(mean, scale, model.coef_[0], float(model.intercept_[0]))
