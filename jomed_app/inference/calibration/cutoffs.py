"""Operating points: from which probability on a site calls a case positive, and what that brings.

Letters in docstrings: N cases.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field, model_validator

from jomed_app.inference.calibration.reliability import wilson_interval
from jomed_app.types import Frozen

TARGETS = (80, 85, 90, 95, 98)  # ours: what sites ask for, of 100 positive cases
LEAST_OF_SIDE = 30  # ours: a rate of fewer cases would be read as more than it is
ROUNDING = 1e-9


class Cutoff(Frozen):
    """One operating point with the cases that it was measured on."""

    target: int = Field(ge=1, le=100, description="positive cases of 100 that it is to find")
    threshold: float = Field(ge=0, le=1, description="of p(positive label); at it counts as above")
    found: int = Field(ge=0, description="positive cases at or above it")
    positives: int = Field(gt=0)
    cleared: int = Field(ge=0, description="negative cases below it")
    negatives: int = Field(gt=0)

    @model_validator(mode="after")
    def _counts_fit(self) -> Cutoff:
        if self.found > self.positives or self.cleared > self.negatives:
            raise ValueError("an operating point counts no more cases than there are")
        return self

    @property
    def missed(self) -> int:
        """Positive cases below it."""
        return self.positives - self.found

    @property
    def below(self) -> int:
        """All cases below it."""
        return self.missed + self.cleared

    @property
    def sensitivity_interval(self) -> tuple[float, float]:
        """95 % Wilson interval of the share that is found."""
        return wilson_interval(self.found, self.positives)

    @property
    def specificity_interval(self) -> tuple[float, float]:
        """95 % Wilson interval of the share of negative cases below it."""
        return wilson_interval(self.cleared, self.negatives)

    @property
    def miss_interval(self) -> tuple[float, float]:
        """95 % Wilson interval of the share of cases below it that are positive."""
        return wilson_interval(self.missed, self.below)


def fit_cutoffs(probabilities: ArrayLike, is_positive: ArrayLike) -> tuple[Cutoff, ...]:
    """Return the strictest threshold for every one of `TARGETS`.

    Ours: thresholds are set on the very cases that are counted, each concluded with a profile that
    was fitted without it; what a threshold brings on cases to come is somewhat less.

    Args:
        probabilities: (N,) of the positive label, in [0, 1].
        is_positive: (N,) whether the case is.

    Returns:
        Ascending by target; none below `LEAST_OF_SIDE` cases of either side.

    Raises:
        ValueError: if shapes do not fit.
    """
    said, truth = np.asarray(probabilities, dtype=np.float64), np.asarray(is_positive, dtype=bool)
    if said.shape != truth.shape or said.ndim != 1:
        raise ValueError(f"every case needs a probability and a truth, found {said.shape}")
    positive, negative = np.sort(said[truth])[::-1], said[~truth]
    if min(len(positive), len(negative)) < LEAST_OF_SIDE:
        return ()
    points = []
    for target in TARGETS:
        needed = math.ceil(target / 100 * len(positive) - ROUNDING)
        threshold = float(positive[needed - 1])
        points.append(
            Cutoff(
                target=target,
                threshold=threshold,
                found=int((positive >= threshold).sum()),
                positives=len(positive),
                cleared=int((negative < threshold).sum()),
                negatives=len(negative),
            )
        )
    return tuple(points)
