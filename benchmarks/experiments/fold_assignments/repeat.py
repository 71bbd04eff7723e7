"""The cheap systems over several assignments of folds: how much the split itself moves a figure.

The linear head and the vote are fitted in seconds, so they are repeated; a reader is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from jomed_app.data.corpus import assign_folds
from jomed_app.data.tasks import Task
from jomed_app.evaluation.folds.read_fold import TableView
from jomed_app.evaluation.metrics.probabilities import accuracy, binary_auroc
from jomed_app.retrieval.vote import neighbor_vote
from jomed_app.training.cases.table import ReaderTable
from jomed_app.training.cases.visual_space import fit_visual
from jomed_app.training.heads import fit_linear_head

FOLD_SEEDS = (0, 1, 2)


def repeat_baselines(
    table: ReaderTable,
    view: TableView,
    task: Task,
    *,
    num_folds: int,
    num_neighbors: int,
    temperature: float,
    seeds: Sequence[int] = FOLD_SEEDS,
) -> list[dict[str, Any]]:
    """Score `backbone` and `knn` out of fold for each assignment of folds.

    Args:
        table: the cases; only real ones take part.
        view: arrays over them.
        task: names the positive label.
        num_folds: at least 2.
        num_neighbors: nearest cases that vote.
        temperature: of the vote.
        seeds: of the assignments.

    Returns:
        One row per seed and system: seed, system, accuracy, auroc of the positive label.
    """
    records = [table.records[int(row)] for row in table.real]
    rows = []
    for seed in seeds:
        folds = assign_folds(records, num_folds, seed)
        said = {name: np.zeros((len(records), len(task.labels))) for name in ("backbone", "knn")}
        for fold in range(num_folds):
            seen, held = table.real[folds != fold], table.real[folds == fold]
            head = fit_linear_head(view.features[seen], view.labels[seen])
            said["backbone"][folds == fold] = np.exp(head.log_prob(view.features[held]))
            said["knn"][folds == fold] = _votes(
                table, view, seen, held, len(task.labels), num_neighbors, temperature
            )
        labels = view.labels[table.real]
        for name, probabilities in said.items():
            rows.append(
                {
                    "seed": seed,
                    "system": name,
                    "accuracy": accuracy(probabilities, labels),
                    "auroc": binary_auroc(probabilities, labels, task.positive_index),
                }
            )
    return rows


@torch.no_grad()
def _votes(
    table: ReaderTable,
    view: TableView,
    seen: NDArray[np.int64],
    held: NDArray[np.int64],
    num_labels: int,
    num_neighbors: int,
    temperature: float,
) -> NDArray[np.float64]:
    projections = fit_visual(table.projections, table.features[torch.from_numpy(seen)])
    vectors = projections.embed_features(table.features, "image").numpy()
    votes = []
    for row in held:
        allowed = seen[view.groups[seen] != view.groups[row]]
        scores = vectors[allowed] @ vectors[row]
        near = np.argsort(-scores, kind="stable")[:num_neighbors]
        votes.append(
            neighbor_vote(scores[near], view.labels[allowed[near]], num_labels, temperature)
        )
    return np.stack(votes)
