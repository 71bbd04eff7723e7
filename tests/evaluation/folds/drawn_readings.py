"""Held-out cases drawn from a made-up reader, for systems, fits and folds; no model is run."""

from __future__ import annotations

import numpy as np
from scipy.special import log_softmax

from jomed_app.boxes import Box
from jomed_app.evaluation.held_out import HeldOutCase, Located
from jomed_app.inference.conclusion.evidence import Evidence, counting_alike

BOX = Box(10, 10, 30, 30)
NUM_NEIGHBORS = 64


def draw_reading(
    label: int,
    rng: np.random.Generator,
    *,
    help_of_candidates: float = 2.0,
    help_of_neighbors: float = 0.3,
    num_labels: int = 3,
) -> HeldOutCase:
    """One case of a known label; candidates of the true label pull towards it.

    `help_of_neighbors` is the share of the nearest cases that have the true label for sure.
    """
    truth = np.eye(num_labels)[label]
    labels = rng.choice(num_labels, size=4, p=0.2 + 0.4 * truth).astype(np.intp)

    def rows(pull: np.ndarray) -> np.ndarray:
        return log_softmax(0.8 * rng.normal(size=pull.shape) + pull, axis=-1)

    misleading = np.full(4, (label + 1) % num_labels, dtype=np.intp)
    alone = rows(0.3 * truth)
    retrieved = rows(help_of_candidates * np.eye(num_labels)[labels])
    drawn, backbone = rows(np.zeros((4, num_labels))), rows(1.0 * truth)
    return HeldOutCase(
        evidence=Evidence(
            candidates=retrieved,
            scores=np.array([1.0, 0.9, 0.85, 0.8]),
            is_text=np.array([False, True, False, False]),
            alone=alone,
            neighbor_scores=np.linspace(0.9, 0.5, NUM_NEIGHBORS),
            neighbor_labels=_draw_neighbors(label, rng, help_of_neighbors, num_labels),
            image=np.array((0.9, 0.05, 0.05) if label == 0 else (0.1, 0.5, 0.4)),
        ),
        labels=labels,
        backbone=backbone,
        candidate_ids=("a", "b", "c", "d"),
        drawn=counting_alike(drawn, alone),
        drawn_labels=np.array([0, 1, 2, 0], dtype=np.intp) % num_labels,
        adversarial=counting_alike(
            log_softmax(help_of_candidates * np.eye(num_labels)[misleading], axis=-1), alone
        ),
        adversarial_labels=misleading,
        boxes=() if label == 0 else (BOX,),
        located=Located(
            box=BOX.shifted(1, 1),
            presence=0.1 if label == 0 else 0.9,
            dense=0.2 if label == 0 else 0.6,
            heat_peak=(12.0, 40.0),
        ),
        seconds=0.25,
    )


def _draw_neighbors(
    label: int, rng: np.random.Generator, share: float, num_labels: int
) -> np.ndarray:
    labels = rng.integers(num_labels, size=NUM_NEIGHBORS)
    return np.where(rng.random(NUM_NEIGHBORS) < share, label, labels).astype(np.intp)


def draw_readings(count: int, seed: int = 0, **more) -> tuple[list[HeldOutCase], np.ndarray]:
    """Cases whose labels go round, and the labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.intp) % 3
    return [draw_reading(int(label), rng, **more) for label in labels], labels
