"""Checks that decide whether an image is read at all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jomed_app.data.tasks import Task
from jomed_app.models.heads import DomainHead
from jomed_app.types import Check, InputInfo

STOPPING_CHECKS = ("contrast",)  # a blank image is not read


def domain_check(
    domain: DomainHead, features: NDArray[np.float32], least_probability: float
) -> Check:
    """Check that an image is of the kind the bundle was made for.

    Args:
        domain: fitted beside the reader.
        features: (F,) pooled tower features.
        least_probability: in [0, 1], from which the classifier's word is taken.
    """
    probability = domain.probability(features)
    distance = domain.distance(features)
    passed = probability >= least_probability and distance <= 1.0
    message = (
        f"Like the images the bundle was made for (probability {probability:.2f}, "
        f"distance {distance:.2f} of the limit)"
    )
    return Check(
        name="domain",
        passed=passed,
        value=round(probability, 4),
        message=message if passed else "Not l" + message[1:],
    )


def refusal(task: Task, info: InputInfo) -> str | None:
    """Return why an image is not read at all, or None."""
    for check in info.checks:
        if not check.passed and check.name in STOPPING_CHECKS:
            return f"The image cannot be read: {check.message}"
    for check in info.checks:
        if not check.passed and check.name == "domain":
            return f"{task.out_of_domain}: {check.message}. Use an image of that kind."
    return None
