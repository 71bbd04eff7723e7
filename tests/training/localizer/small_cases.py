"""A handful of drawn cases whose label can be seen: a bright or a dark square, or none."""

from __future__ import annotations

import numpy as np
import torch

from jomed_app.data.records import CaseRecord
from jomed_app.data.tasks import Task
from jomed_app.training.cases.image_set import ImageSet

SIDE = 128
TASK = Task(
    name="squares",
    title="Squares",
    question="Which square?",
    labels=("none", "bright", "dark"),
    positive_label="bright",
    empty_labels=("none",),
    descriptors={"size": ("small", "large")},
)


def drawn_cases(count: int = 4) -> ImageSet:
    """Cases with labels bright, dark, none in turn; two neighbors in a row share a group."""
    rng = np.random.default_rng(0)
    records, squares = [], []
    boxes = torch.full((count, 4), torch.nan)
    for index in range(count):
        label = ("bright", "dark", "none")[index % 3]
        image = rng.integers(90, 110, (SIDE, SIDE, 3), dtype=np.uint8)
        corner, size = 16 + 4 * index, (24, 56)[index % 2]
        if label != "none":
            image[corner : corner + size, corner : corner + size] = 250 if label == "bright" else 5
            boxes[index] = torch.tensor([corner, corner, corner + size, corner + size]) / SIDE
        records.append(
            CaseRecord(
                case_id=f"case-{index}",
                image=f"{index}.png",
                label=label,
                passage=f"A {label} square.",
                extended_passage=f"There is a {label} square here.",
                descriptors={} if label == "none" else {"size": ("small", "large")[index % 2]},
                group=f"group-{index // 2}",
                rows=SIDE,
                columns=SIDE,
            )
        )
        squares.append(image)
    return ImageSet(records, squares, boxes)
