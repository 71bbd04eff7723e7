"""How sure a box is: one calibrated probability from what three parts say."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field

from jomed_app.types import Frozen, OperatingPoint

LEAST_PROBABILITY = 1e-4
"""Ours: a part that is surer than this, either way, counts as if it were this sure."""


class BoxScore(Frozen):
    """Weights of three logits, and what thresholds of their sum meant on validation cases.

    Ours: fitted by logistic regression on out-of-fold cases, so that the score is the probability
    that the box reaches IoU 0.5 with a lesion. The default is the probability of a finding that
    the diagnosis states.
    """

    bias: float = Field(default=0.0, description="added to the sum")
    finding: float = Field(
        default=1.0, description="weight of the final answer's probability of a finding"
    )
    presence: float = Field(
        default=0.0,
        description="weight of the probability of a finding by the localizer's class query",
    )
    dense: float = Field(default=0.0, description="weight of the best score of its dense head")
    operating_points: tuple[OperatingPoint, ...] = Field(
        default=(), description="by ascending threshold; empty if never measured"
    )

    def of_answer(
        self, probabilities: ArrayLike, empty: Sequence[int], presence: float, dense: float
    ) -> float:
        """Return the score in (0, 1) of the box that stands beside a final answer.

        Ours: what the diagnosis leaves to labels with a finding counts too, so that an image that
        is called normal hides its box unless the threshold is lowered.

        Args:
            probabilities: (C,) final, calibrated.
            empty: indexes of the labels without a finding.
            presence: the localizer's probability of a finding, in [0, 1].
            dense: the best score of its dense head, in [0, 1].
        """
        return self.of(finding_probability(probabilities, empty), presence, dense)

    def of(self, finding: float, presence: float, dense: float) -> float:
        """Return the score in (0, 1) of three probabilities in [0, 1]."""
        weights = self.finding, self.presence, self.dense
        logits = box_logits(finding, presence, dense)
        total = self.bias + sum(w * x for w, x in zip(weights, logits, strict=True))
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, total))))


def finding_probability(probabilities: ArrayLike, empty: Sequence[int]) -> float:
    """Return what (C,) final probabilities leave to labels with a finding, in [0, 1]."""
    nothing = np.asarray(probabilities, dtype=np.float64)[list(empty)].sum()
    return min(1.0, max(0.0, 1.0 - float(nothing)))


def box_logits(*probabilities: float) -> tuple[float, ...]:
    """Log-odds of probabilities, each kept `LEAST_PROBABILITY` away from 0 and 1."""
    kept = [min(max(each, LEAST_PROBABILITY), 1 - LEAST_PROBABILITY) for each in probabilities]
    return tuple(math.log(each / (1 - each)) for each in kept)
