"""Readings drawn from a made-up reader, for systems, fits and folds; no model is run."""

from __future__ import annotations

import numpy as np
from scipy.special import log_softmax

from jomed_app.boxes import Box
from jomed_app.evaluation.systems import RawCase

BOX = Box(10, 10, 30, 30)


def draw_reading(
    label: int, rng: np.random.Generator, *, help_of_candidates: float = 2.0, num_labels: int = 3
) -> RawCase:
    """One case of a known label; candidates of the true label pull towards it."""
    truth = np.eye(num_labels)[label]
    labels = rng.choice(num_labels, size=4, p=0.2 + 0.4 * truth).astype(np.intp)

    def rows(pull: np.ndarray) -> np.ndarray:
        return log_softmax(0.8 * rng.normal(size=pull.shape) + pull, axis=-1)

    return RawCase(
        retrieved=rows(help_of_candidates * np.eye(num_labels)[labels]),
        drawn=rows(np.zeros((4, num_labels))),
        plain=rows(0.3 * truth),
        backbone=rows(1.0 * truth),
        retrieved_labels=labels,
        drawn_labels=np.array([0, 1, 2, 0], dtype=np.intp) % num_labels,
        neighbor_labels=np.array([label, label, 0, 1, label], dtype=np.intp),
        scores=np.array([1.0, 0.9, 0.85, 0.8]),
        is_text=np.array([False, True, False, False]),
        boxes=() if label == 0 else (BOX,),
        seconds=0.25,
    )


def draw_readings(count: int, seed: int = 0, **more) -> tuple[list[RawCase], np.ndarray]:
    """Cases whose labels go round, and the labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.intp) % 3
    return [draw_reading(int(label), rng, **more) for label in labels], labels
