"""The table of questions: which held-out images have a twin among the training images."""

from __future__ import annotations

import numpy as np
import torch

from jomed_app.data.records import CaseRecord
from jomed_app.models.pixels import letterbox
from jomed_app.training.cases.image_set import ImageSet
from jomed_app.training.questions.table import mark_twins

SIDE = 64


def drawn(seed, rows=96, columns=64):
    """An image of coarse blocks."""
    blocks = np.random.default_rng(seed).integers(0, 255, (rows // 16, columns // 16, 1))
    return np.kron(blocks, np.ones((16, 16, 3))).astype(np.uint8)


def test_twins_are_sought_within_a_task_and_among_its_training_images():
    cases = [  # task, split, image
        ("slake", "train", drawn(1)),
        ("slake", "val", drawn(1) // 2),  # a darker copy
        ("slake", "val", drawn(2)),
        ("slake", "val", drawn(2)),  # of a held-out image only
        ("vqa_rad", "train", drawn(2)),  # of the other task
        ("vqa_rad", "val", drawn(1)),
        ("vqa_rad", "train", drawn(2)),  # training images are never marked
        ("vqa_rad", "test", drawn(2)),
    ]
    assert marked(cases) == [False, True, False, False, False, False, False, False]


def test_the_margin_of_a_shape_makes_no_twin():
    """Narrow images in wide squares correlate by their margins alone."""
    noise = [np.random.default_rng(seed).integers(200, 255, (256, 32, 3)) for seed in (1, 2)]
    cases = [
        ("slake", split, image.astype(np.uint8))
        for split, image in zip(("train", "val"), noise, strict=True)
    ]
    squares = [letterbox(image, SIDE).mean(2).ravel() for _, _, image in cases]
    assert np.corrcoef(squares)[0, 1] > 0.95
    assert marked(cases) == [False, False]


def marked(cases):
    records = [
        CaseRecord(
            case_id=f"c{place}", image="i", label="CT", passage="?", group=f"g{place}",
            split=split, rows=image.shape[0], columns=image.shape[1],
        )
        for place, (_, split, image) in enumerate(cases)
    ]  # fmt: skip
    images = ImageSet(
        records,
        [letterbox(image, SIDE) for _, _, image in cases],
        torch.full((len(cases), 4), torch.nan),
    )
    return mark_twins(images, [task for task, _, _ in cases]).tolist()
