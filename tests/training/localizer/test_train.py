"""The localizer learns a handful of drawn boxes by heart; the tower itself does not move."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from jomed_app.config.localizer import LocalizerTrainingConfig
from jomed_app.models.localizer.localizer import Localizer, load_localizer
from jomed_app.objectives.boxes.edges import box_iou
from jomed_app.training.localizer.kept_views import Part, keep_cases
from jomed_app.training.localizer.stage import fresh_localizer
from jomed_app.training.localizer.train import LOSS_WEIGHTS, localizer_loss, train_localizer
from tests.tiny_models import build_tiny_tower
from tests.training.localizer.small_cases import SIDE, TASK
from tests.training.localizer.test_kept_views import boxed_cases

BINS = 16
CONFIG = LocalizerTrainingConfig(
    image_size=SIDE, batch_size=6, lr=5e-3, weight_decay=0.0, average=0.5
)


def tower():
    return build_tiny_tower(5)


def fresh() -> Localizer:
    return fresh_localizer(tower(), TASK, CONFIG, BINS)


@pytest.fixture(scope="module")
def kept():
    return keep_cases(tower(), boxed_cases(6), TASK, 1, 0)


def train(localizer, kept, out, steps, **more):
    parts = [Part(kept, np.arange(6))]
    return train_localizer(localizer, parts, CONFIG, out, steps=steps, **more)


def test_a_fresh_localizer_knows_what_the_tower_knows():
    localizer = fresh()
    for mine, its in zip(localizer.stages, tower().stages[3:], strict=True):
        for name, value in mine.state_dict().items():
            assert torch.equal(value, its.state_dict()[name])
    assert localizer.config.num_labels == len(TASK.labels)
    assert localizer.config.empty_labels == [0]
    assert localizer.config.location_bins == BINS


def test_four_drawn_boxes_are_learned_by_heart(kept, tmp_path):
    localizer = fresh()
    before = {name: value.clone() for name, value in localizer.stages.state_dict().items()}
    early = {name: value.clone() for name, value in localizer.early.state_dict().items()}
    history = train(localizer, kept, tmp_path, 60)
    losses = [each["loss"] for each in history]
    assert np.mean(losses[-5:]) < 0.6 * np.mean(losses[:5])
    assert not localizer.training
    found = localizer.find_in_maps(kept.maps[0].float())
    truth = kept.boxes[0, :, 0]
    has_box = truth.isfinite().all(-1)
    assert has_box.tolist() == [True, True, False] * 2
    boxes = {
        "queries": [each.box for each in found],
        "dense": [each.boxes[0] for each in found],
    }
    for name, said in boxes.items():
        overlap = box_iou(torch.tensor([box.as_tuple() for box in said]), truth)[has_box]
        assert overlap.mean() > 0.6, name
    presence = torch.tensor([each.presence for each in found])
    assert presence[has_box].min() > presence[~has_box].max()
    moved = [
        not torch.equal(value, before[name])
        for name, value in localizer.stages.state_dict().items()
    ]
    assert all(moved)
    assert all(
        torch.equal(localizer.early.state_dict()[name], each) for name, each in early.items()
    )


def test_the_loss_is_its_weighted_terms_and_needs_no_box(kept):
    localizer = fresh()
    said = localizer(kept.maps[0].float())
    terms = localizer_loss(said, kept.boxes[0], kept.labels, reach=localizer.config.reach)
    total = sum(LOSS_WEIGHTS[name] * value for name, value in terms.items() if name != "loss")
    torch.testing.assert_close(terms["loss"], total)
    empty = localizer_loss(said, torch.full_like(kept.boxes[0], torch.nan), kept.labels, reach=0.8)
    assert [empty[name].item() for name in ("giou", "spread", "kind", "edges")] == [0.0] * 4
    assert empty["loss"].isfinite()


def test_a_resumed_run_equals_an_unbroken_one(kept, tmp_path):
    whole, again = fresh(), fresh()
    train(whole, kept, tmp_path, 2)
    assert train(again, kept, tmp_path, 2, resume=True) == []
    for name, value in whole.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name


def test_what_was_learned_is_kept_in_a_file(kept, tmp_path):
    localizer = fresh()
    train(localizer, kept, tmp_path / "run", 2)
    localizer.save_pretrained(tmp_path / "model")
    maps = kept.maps[0].float()
    again = load_localizer(tmp_path / "model").find_in_maps(maps)
    assert [each.box for each in again] == [each.box for each in localizer.find_in_maps(maps)]
