"""Fit what a bundle carries on out-of-fold readings: weights, guidance, scaling, calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jomed_app.evaluation.systems import RawCase, ScoringSettings, conclude_systems
from jomed_app.inference.aggregate import guided_log_prob, marginalize
from jomed_app.inference.calibrate import (
    Calibration,
    error_rate_by_state,
    fit_conformal,
    fit_reliability,
    fit_scaling,
)

WEIGHT_TEMPERATURES = (0.05, 0.1, 0.2, 0.5, 1.0)
TEXT_OFFSETS = (0.0, -1.0, -2.0, -4.0)
GUIDANCE = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)
CONFORMAL_ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Fitted:
    """Settings chosen, the calibration of the final probability, and how they were chosen.

    Attributes:
        scoring: weights, guidance and scaling.
        calibration: scaling, reliability, conformal sets and error rates.
        trials: per pair of settings the negative log-likelihood after scaling, nats per case.
    """

    scoring: ScoringSettings
    calibration: Calibration
    trials: list[dict[str, float]]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a file."""
        return {
            "weight_temperature": self.scoring.weight_temperature,
            "text_offset": self.scoring.text_offset,
            "guidance": self.scoring.guidance,
            "max_spread": self.scoring.max_spread,
            "box_threshold": self.scoring.box_threshold,
            "calibration": self.calibration.to_dict(),
            "trials": self.trials,
        }


def fit_settings(raw: Sequence[RawCase], labels: NDArray[np.intp]) -> Fitted:
    """Choose weight temperature and guidance by likelihood, then calibrate.

    Two numbers from a short list are chosen on several hundred cases: the figures that a report
    shows with them are optimistic by no more than that choice.

    Args:
        raw: N out-of-fold cases.
        labels: (N,) true label indexes.
    """
    trials = []
    best: tuple[float, ScoringSettings] | None = None
    for temperature, offset, guidance in product(WEIGHT_TEMPERATURES, TEXT_OFFSETS, GUIDANCE):
        settings = ScoringSettings(temperature, offset, guidance)
        log_prob = np.stack([_marginal(case, settings) for case in raw])
        scaling = fit_scaling(log_prob, labels)
        scaled = scaling.apply(log_prob)
        loss = float(-scaled[np.arange(len(labels)), labels].mean())
        trials.append(
            {
                "weight_temperature": temperature,
                "text_offset": offset,
                "guidance": guidance,
                "nll": loss,
            }
        )
        if best is None or loss < best[0]:
            best = loss, replace(settings, scaling=scaling)
    assert best is not None, "the lists of settings are not empty"
    settings = best[1]
    answers = [conclude_systems(case, settings, ("rag",))["rag"] for case in raw]
    probabilities = np.stack([answer.probabilities for answer in answers])
    correct = probabilities.argmax(-1) == labels
    states = [str(answer.state) for answer in answers]
    calibration = Calibration(
        scaling=settings.scaling,
        reliability=fit_reliability(probabilities, labels),
        conformal=fit_conformal(probabilities, labels, CONFORMAL_ALPHA),
        error_rates=error_rate_by_state(states, correct),
    )
    return Fitted(settings, calibration, trials)


def _marginal(case: RawCase, settings: ScoringSettings) -> NDArray[np.float64]:
    guided = guided_log_prob(case.retrieved, case.plain, settings.guidance)
    return marginalize(settings.log_weights(case.scores, case.is_text), guided)


def labels_of(raw: Mapping[int, RawCase], labels: NDArray[np.intp]) -> NDArray[np.intp]:
    """True labels of the cases in row order."""
    return labels[sorted(raw)]
