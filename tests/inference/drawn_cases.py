"""Cases drawn from known probabilities, for tests of calibration."""

from __future__ import annotations

import numpy as np
from scipy.special import log_softmax


def draw_cases(num_cases: int, seed: int, num_classes: int = 3):
    """Cases whose labels follow the returned log-probabilities exactly."""
    rng = np.random.default_rng(seed)
    log_prob = log_softmax(rng.normal(scale=2.0, size=(num_cases, num_classes)), axis=1)
    noise = rng.gumbel(size=log_prob.shape)
    return log_prob, (log_prob + noise).argmax(axis=1)
