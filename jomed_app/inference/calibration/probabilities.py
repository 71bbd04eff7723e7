"""Honest probabilities: temperature scaling, conformal sets, and all that a bundle keeps of them.

Everything is fitted on cases that neither reader nor retriever was tuned on (validation or
out-of-fold), and is stored in the bundle as plain values.

Letters in docstrings: N cases, C classes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field
from scipy.special import log_softmax

from jomed_app.inference.calibration.box_score import BoxScore
from jomed_app.inference.calibration.cutoffs import Cutoff
from jomed_app.inference.calibration.reliability import (
    ErrorRate,
    FloatArray,
    ReliabilityTable,
    checked_cases,
    error_rate_by_state,
    expected_calibration_error,
    fit_reliability,
    wilson_interval,
)
from jomed_app.types import Frozen

__all__ = [
    "Calibration",
    "ConformalSets",
    "ErrorRate",
    "ReliabilityTable",
    "Scaling",
    "error_rate_by_state",
    "expected_calibration_error",
    "fit_conformal",
    "fit_reliability",
    "fit_scaling",
    "wilson_interval",
]

TEMPERATURE_RANGE = (0.05, 20.0)
BIAS_RIDGE = 1e-3
"""Ours: a weak pull of class biases to 0, so that a class absent from the fit stays finite."""
MIN_PROBABILITY = 1e-12


class Scaling(Frozen):
    """Temperature scaling with an optional bias per class (class priors).

    Source: arXiv:1706.04599 (temperature scaling).
    """

    temperature: float = Field(default=1.0, gt=0, description="above 1 softens")
    bias: tuple[float, ...] = Field(
        default=(), description="C values, nats, mean 0, added after division; empty for none"
    )

    def apply(self, log_prob: ArrayLike) -> FloatArray:
        """Return (..., C) normalized calibrated log-probabilities of (..., C) ones, nats."""
        scaled = np.asarray(log_prob, dtype=np.float64) / self.temperature
        if self.bias:
            scaled = scaled + np.asarray(self.bias)
        return np.asarray(log_softmax(scaled, axis=-1), dtype=np.float64)


def fit_scaling(log_prob: ArrayLike, labels: ArrayLike, *, with_bias: bool = False) -> Scaling:
    """Fit temperature (and class bias) by least negative log-likelihood, within bounds.

    Args:
        log_prob: (N, C) nats; -inf counts as log 1e-12.
        labels: (N,) integers in [0, C).
        with_bias: also fit one bias per class; needs all classes to be well represented.

    Returns:
        The scaling; temperature within `TEMPERATURE_RANGE`.

    Raises:
        ValueError: if there is no case or shapes and labels do not fit.
    """
    from scipy.optimize import minimize, minimize_scalar  # fits only; an answer starts without it

    rows, index = checked_cases(log_prob, labels)
    rows = np.maximum(log_softmax(rows, axis=-1), np.log(MIN_PROBABILITY))
    picked = np.arange(len(index)), index

    def loss(log_temperature: float, bias: FloatArray | float = 0.0) -> float:
        scaled = log_softmax(rows / np.exp(log_temperature) + bias, axis=-1)
        return float(-scaled[picked].mean() + BIAS_RIDGE * np.square(bias).sum())

    low, high = np.log(TEMPERATURE_RANGE)
    found = minimize_scalar(loss, bounds=(low, high), method="bounded")
    if not with_bias:
        return Scaling(temperature=float(np.exp(found.x)))
    num_classes = rows.shape[1]
    joint = minimize(
        lambda values: loss(float(values[0]), values[1:]),
        x0=np.array([found.x, *[0.0] * num_classes]),
        bounds=[(low, high), *[(-10.0, 10.0)] * num_classes],
        method="L-BFGS-B",
    )
    bias = joint.x[1:] - joint.x[1:].mean()
    return Scaling(temperature=float(np.exp(joint.x[0])), bias=tuple(float(b) for b in bias))


class ConformalSets(Frozen):
    """Split-conformal label sets: at least 1 - alpha of them hold the true label.

    Source: Sadinle, Lei, Wasserman 2019 (least ambiguous set-valued classifier, LAC).
    """

    alpha: float = Field(gt=0, lt=1, description="allowed miss rate")
    threshold: float = Field(
        ge=0, le=1, description="a label belongs to the set when 1 - probability <= threshold"
    )
    num_cases: int = Field(description="cases it was fitted on")

    def members(self, probabilities: ArrayLike) -> NDArray[np.bool_]:
        """Return the (..., C) mask of labels in the set; True = in, a set may be empty.

        Both an empty set and one of several labels are reasons to abstain.
        """
        rows = np.asarray(probabilities, dtype=np.float64)
        return np.asarray(1 - rows <= self.threshold, dtype=np.bool_)


def fit_conformal(probabilities: ArrayLike, labels: ArrayLike, alpha: float = 0.1) -> ConformalSets:
    """Fit the LAC threshold: the ceil((N + 1)(1 - alpha))-th smallest of 1 - p(true label).

    Args:
        probabilities: (N, C) calibrated, of cases exchangeable with those to come.
        labels: (N,) integers in [0, C).
        alpha: allowed miss rate, in (0, 1). With too few cases every set holds all labels.

    Raises:
        ValueError: if alpha lies outside (0, 1), there is no case or shapes do not fit.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie in (0, 1), found {alpha}")
    rows, index = checked_cases(probabilities, labels)
    num_cases = len(index)
    scores = np.sort(1 - rows[np.arange(num_cases), index])
    rank = int(np.ceil((num_cases + 1) * (1 - alpha)))
    threshold = float(scores[rank - 1]) if rank <= num_cases else 1.0
    return ConformalSets(alpha=alpha, threshold=threshold, num_cases=num_cases)


class Calibration(Frozen):
    """All that a bundle keeps to state probabilities honestly; the default changes nothing."""

    scaling: Scaling = Scaling()
    reliability: ReliabilityTable | None = None
    conformal: ConformalSets | None = None
    error_rates: dict[str, ErrorRate] = Field(default={}, description="by consistency state")
    standing_errors: dict[str, ErrorRate] = Field(
        default={}, description="by standing, which is what the screen shows; none before bundle 6"
    )
    boxes: BoxScore = BoxScore()
    cutoffs: tuple[Cutoff, ...] = Field(
        default=(),
        exclude_if=lambda value: not value,
        description="operating points of the positive label, ascending; none where not measured",
    )
