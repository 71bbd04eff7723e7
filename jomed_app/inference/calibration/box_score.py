"""How sure a box is: one calibrated probability from what three parts say."""

from __future__ import annotations

import math
from dataclasses import dataclass

from jomed_app.inference.calibration.reliability import Stored
from jomed_app.types import OperatingPoint

LEAST_PROBABILITY = 1e-4
"""Ours: a part that is surer than this, either way, counts as if it were this sure."""


@dataclass(frozen=True, slots=True)
class BoxScore(Stored):
    """Weights of three logits, and what thresholds of their sum meant on validation cases.

    Ours: fitted by logistic regression on out-of-fold cases, so that the score is the probability
    that the box reaches IoU 0.5 with a lesion. The default is the probability of a finding that
    the diagnosis states.

    Attributes:
        bias: added to the sum.
        finding: weight of the final answer's probability of a finding.
        presence: weight of the probability of a finding that the localizer's class query states.
        dense: weight of the best score of its dense head.
        operating_points: by ascending threshold; empty if never measured.
    """

    bias: float = 0.0
    finding: float = 1.0
    presence: float = 0.0
    dense: float = 0.0
    operating_points: tuple[OperatingPoint, ...] = ()

    def of(self, finding: float, presence: float, dense: float) -> float:
        """Return the score in (0, 1) of three probabilities in [0, 1]."""
        weights = self.finding, self.presence, self.dense
        logits = box_logits(finding, presence, dense)
        total = self.bias + sum(w * x for w, x in zip(weights, logits, strict=True))
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, total))))


def box_logits(*probabilities: float) -> tuple[float, ...]:
    """Log-odds of probabilities, each kept `LEAST_PROBABILITY` away from 0 and 1."""
    kept = [min(max(each, LEAST_PROBABILITY), 1 - LEAST_PROBABILITY) for each in probabilities]
    return tuple(math.log(each / (1 - each)) for each in kept)
