"""Kept cases: views follow their seed, every case is met once per round."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from jomed_app.training.localizer.kept_views import (
    KeptCases,
    Part,
    draw_batch,
    keep_cases,
    unit_boxes,
)
from tests.tiny_models import build_tiny_tower
from tests.training.localizer.small_cases import SIDE, TASK, drawn_cases


def boxed_cases(count=4):
    """Drawn cases whose records hold the boxes too."""
    images = drawn_cases(count)
    records = [
        record.model_copy(update={"boxes": (tuple((box * SIDE).tolist()),)})
        if box.isfinite().all()
        else record
        for record, box in zip(images.records, images.boxes, strict=True)
    ]
    return replace(images, records=records)


@pytest.fixture(scope="module")
def kept():
    return keep_cases(build_tiny_tower(), boxed_cases(), TASK, 3, 0, batch_size=3)


def numbered(count: int, num_views: int = 2, start: int = 0) -> KeptCases:
    """Cases whose map tells their number and view."""
    maps = torch.arange(start, start + count).float()[None, :, None, None, None]
    maps = maps + 0.5 * torch.arange(num_views)[:, None, None, None, None]
    return KeptCases(maps, torch.zeros(num_views, count, 4, 4), torch.arange(count))


def test_boxes_are_put_on_the_square_largest_first():
    (record,) = drawn_cases(1).records
    wide = record.model_copy(
        update={"rows": 50, "columns": 100, "boxes": ((0, 0, 10, 10), (50, 0, 100, 50))}
    )
    boxes = unit_boxes([wide, drawn_cases(3).records[2]], 200)
    assert boxes.shape == (2, 4, 4)
    expected = {(0.0, 0.25, 0.1, 0.35), (0.5, 0.25, 1.0, 0.75)}
    assert {tuple(round(v, 4) for v in box.tolist()) for box in boxes[0, :2]} == expected
    assert boxes[0, 2:].isnan().all()
    assert boxes[1].isnan().all()


def test_the_first_view_is_the_image_itself(kept):
    images = boxed_cases()
    assert kept.maps.shape == (3, 4, 4, SIDE // 8, SIDE // 8)
    with torch.no_grad():
        plain = build_tiny_tower().start_map(images.pixel_values(range(4)))
    error = (kept.maps[0].float() - plain).abs().max()
    assert error < 0.05 * plain.abs().max()
    torch.testing.assert_close(kept.boxes[0, :, 0], images.boxes, equal_nan=True)
    assert not torch.equal(kept.maps[1], kept.maps[0])
    assert not torch.equal(kept.maps[2], kept.maps[1])
    assert kept.boxes[:, 2].isnan().all(), "an image without a box has none in any view"
    assert kept.labels.tolist() == [1, 2, 0, 1]


def test_views_follow_their_seed(kept):
    tower = build_tiny_tower()
    again, other = (
        keep_cases(tower, boxed_cases(), TASK, 2, seed, batch_size=3) for seed in (0, 1)
    )
    assert torch.equal(again.maps, kept.maps[:2])
    assert not torch.equal(other.maps[1], kept.maps[1])


def test_every_case_is_met_once_per_round():
    part = Part(numbered(7), np.array([0, 2, 3, 6]))
    met = torch.cat([draw_batch([part], 2, 0, step)[2] for step in range(4)])
    assert sorted(met[:4].tolist()) == sorted(met[4:].tolist()) == [0, 2, 3, 6]
    assert met[:4].tolist() != met[4:].tolist()


def test_a_batch_may_be_larger_than_the_part():
    _, _, labels = draw_batch([Part(numbered(3), np.arange(3))], 7, 0, 0)
    assert sorted(torch.bincount(labels).tolist()) == [2, 2, 3]


def test_shares_and_views():
    first = Part(numbered(50), np.arange(50), 0.75)
    second = Part(numbered(50, start=100), np.arange(50), 0.25)
    maps, boxes, labels = draw_batch([first, second], 16, 0, 3)
    values = maps.flatten()
    assert (boxes.shape, labels.shape) == ((16, 4, 4), (16,))
    assert (values[:12] < 50).all()
    assert (values[12:] >= 100).all()
    assert {value % 1 for value in values.tolist()} == {0.0, 0.5}
    assert torch.equal(values[:12].long(), labels[:12])


def test_a_step_has_its_own_batch():
    part = Part(numbered(40), np.arange(40))
    first, again, next_one = (draw_batch([part], 8, 0, step)[0] for step in (5, 5, 6))
    assert torch.equal(first, again)
    assert not torch.equal(first, next_one)
