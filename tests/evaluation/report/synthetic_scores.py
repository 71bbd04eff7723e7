"""Scores of made-up systems on made-up cases, for the report and its tables."""

from __future__ import annotations

import numpy as np

from jomed_app.boxes import Box
from jomed_app.evaluation.report.build import CaseScores, SystemScores
from jomed_app.inference.conclusion.aggregate import consistency_states

LABELS = ("normal", "benign", "malignant")
LESION = Box(0, 0, 10, 10)


def rows_around(label: int, strength: float, generator: np.random.Generator, count: int):
    """(count, 3) probabilities that lean towards a label."""
    logits = generator.normal(size=(count, 3)) + strength * np.eye(3)[label]
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def retrieving(label: int, strength: float, generator: np.random.Generator) -> SystemScores:
    """A system with four candidates and a box."""
    rows = rows_around(label, strength, generator, 4)
    return SystemScores(
        probabilities=rows.mean(axis=0),
        candidate_probabilities=rows,
        weights=np.full(4, 0.25),
        candidate_labels=np.array([label, label, 0, 1]),
        boxes=(Box(0, 0, 10, 5),),
        state=consistency_states(np.log(rows)).item(),
        seconds=0.5,
    )


def make_cases(count: int = 60, seed: int = 0) -> list[CaseScores]:
    """Cases in groups of two; `joint` is better than `rag`, `knn` retrieves nothing to read."""
    generator = np.random.default_rng(seed)
    cases = []
    for number in range(count):
        label = number % 3
        cases.append(
            CaseScores(
                case_id=f"case-{number}",
                group=f"group-{number // 2}",
                label=label,
                systems={
                    "knn": SystemScores(rows_around(label, 1.0, generator, 1)[0]),
                    "rag": retrieving(label, 1.0, generator),
                    "joint": retrieving(label, 3.0, generator),
                },
                boxes=() if label == 0 else (LESION,),
                is_clean=number >= 6,
            )
        )
    return cases
