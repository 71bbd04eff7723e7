"""Fit the small heads: the linear baseline and the domain check."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jomed_app.models.heads import DomainHead, LinearHead

REGULARIZATION = 0.01  # inverse strength; chosen by grouped cross-validation on the base tower
DOMAIN_COMPONENTS = 64
DOMAIN_QUANTILE = 0.995
DOMAIN_MARGIN = 1.15  # ours: held-out images reach a little farther than those fitted on


def fit_linear_head(
    features: NDArray[np.float32],
    labels: NDArray[np.intp],
    regularization: float = REGULARIZATION,
    num_labels: int | None = None,
) -> LinearHead:
    """Fit multinomial logistic regression on standardized features.

    A class without a case has no probability.

    Args:
        features: (N, F) pooled tower features.
        labels: (N,) class indexes in [0, C), two of them present.
        regularization: inverse strength, > 0.
        num_labels: C; None takes one more than the largest index.
    """
    from sklearn.linear_model import LogisticRegression

    mean, scale = features.mean(0), features.std(0) + 1e-6
    model = LogisticRegression(C=regularization, max_iter=2000)
    model.fit((features - mean) / scale, labels)
    weight, bias = model.coef_, model.intercept_
    if len(weight) == 1:  # two classes: scikit-learn keeps one row
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    whole = np.zeros((num_labels or int(labels.max()) + 1, weight.shape[1]), dtype=weight.dtype)
    start = np.full(len(whole), -np.inf, dtype=bias.dtype)
    whole[model.classes_], start[model.classes_] = weight, bias
    weight, bias = whole, start
    return LinearHead(*(np.asarray(each, dtype=np.float32) for each in (mean, scale, weight, bias)))


def fit_domain_head(
    inside: NDArray[np.float32], outside: NDArray[np.float32], seed: int = 0
) -> DomainHead:
    """Fit both domain tests; a tenth of the domain's images sets the radius.

    Args:
        inside: (N, F) features of images of the task's kind.
        outside: (M, F) features of other images.
        seed: of the held-out tenth.
    """
    from sklearn.decomposition import PCA

    order = np.random.default_rng(seed).permutation(len(inside))
    count = max(1, len(inside) // 10)
    held, fitted = inside[order[:count]], inside[order[count:]]
    both = np.concatenate([outside, fitted])
    labels = np.repeat([0, 1], [len(outside), len(fitted)]).astype(np.intp)
    classifier = fit_linear_head(both, labels, regularization=0.001)
    analysis = PCA(min(DOMAIN_COMPONENTS, len(fitted) - 1, inside.shape[1])).fit(fitted)
    head = DomainHead(
        classifier,
        analysis.mean_.astype(np.float32),
        analysis.components_.astype(np.float32),
        analysis.explained_variance_.astype(np.float32),
        1.0,
    )
    distances = [head.distance(row) for row in held]
    radius = float(np.quantile(distances, DOMAIN_QUANTILE)) * DOMAIN_MARGIN
    return DomainHead(head.classifier, head.mean, head.components, head.variance, radius)
