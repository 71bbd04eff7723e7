"""What frozen features tell: a linear probe and neighbours, on held-out groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jomed_app.data.corpus import assign_folds
from jomed_app.data.records import CaseRecord
from jomed_app.training.heads import fit_linear_head

FOLDS, SEEDS = 5, 3
NUM_NEIGHBORS = {"breast": 10, "derma": 30}
Speak = Callable[[NDArray[np.float32], NDArray[np.intp], NDArray[np.float32]], NDArray[np.float64]]


def probe(
    known: NDArray[np.float32], labels: NDArray[np.intp], asked: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Probabilities (M, C) of a linear head, fitted as a bundle's own is."""
    return np.exp(fit_linear_head(known, labels).log_prob(asked))


def neighbors(count: int) -> Speak:
    """Shares of the classes among the nearest known cases, by cosine of standardized features."""

    def speak(
        known: NDArray[np.float32], labels: NDArray[np.intp], asked: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        mean, scale = known.mean(0), known.std(0) + 1e-6
        near = _unit((asked - mean) / scale) @ _unit((known - mean) / scale).T
        order = np.argsort(-near, axis=1, kind="stable")[:, :count]
        one_hot = np.eye(int(labels.max()) + 1)[labels]
        shares: NDArray[np.float64] = one_hot[order].mean(1)
        return shares

    return speak


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def held_out(
    features: NDArray[np.float32],
    records: Sequence[CaseRecord],
    labels: Sequence[str],
    speak: Speak,
) -> dict[str, Any]:
    """Probabilities of every case while it is held out, for each seed of the folds.

    A set with a split `val` of more than a thousand cases is asked about that split alone.

    Args:
        features: (N, F).
        records: N cases with groups.
        labels: in order.
        speak: known features, their labels, asked features -> probabilities.

    Returns:
        "probabilities", one (M, C) list a seed, "labels" (M,), "groups" (M,).
    """
    index = np.array([labels.index(each.label) for each in records], dtype=np.intp)
    groups = np.array([each.group or each.case_id for each in records])
    is_split = sum(each.split == "val" for each in records) > 1000
    runs = []
    for seed in range(1 if is_split else SEEDS):
        folds = assign_folds(records, 1 if is_split else FOLDS, seed)
        said = np.zeros((len(records), len(labels)))
        for fold in range(int(folds.max()) + 1):
            rows, known = folds == fold, folds != fold
            said[rows] = speak(features[known], index[known], features[rows])
        asked = folds >= 0
        runs.append(said[asked].round(5).tolist())
    return {
        "probabilities": runs,
        "labels": index[asked].tolist(),
        "groups": groups[asked].tolist(),
    }
