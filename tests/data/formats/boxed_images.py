"""Image files for boxed data: patterns by seed, so that two of one seed are twins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from jomed_app.data.tasks import Task, task_from_dict


def draw_image(path: Path, columns: int, rows: int, seed: int = 0, gain: float = 1.0) -> None:
    """Write a coarse random pattern, the same for every size; `gain` scales its brightness."""
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8)) * gain
    image = Image.fromarray(coarse.astype(np.uint8)).resize((columns, rows), Image.Resampling.BOX)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.convert("RGB").save(path)


def chest_task(*, can_be_empty: bool = True) -> Task:
    """A task of two findings."""
    return task_from_dict(
        {
            "name": "chest",
            "title": "Chest",
            "question": "?",
            "labels": ["No finding", "Mass", "Effusion"],
            "positive_label": "Mass",
            "empty_labels": ["No finding"] if can_be_empty else [],
        }
    )
