"""Kept features: what they are, that nothing stale is read, and that a stop loses little."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from jomed_app.training.cases.kept_features import Views, keep_features, keep_tokens
from tests.tiny_models import build_tiny_dinov2
from tests.training.localizer.small_cases import drawn_cases

SIDE = 56


@pytest.fixture
def images():
    drawn = drawn_cases(5)
    return replace(drawn, squares=[each[:SIDE, :SIDE].copy() for each in drawn.squares])


@pytest.fixture
def tower():
    return build_tiny_dinov2(image_size=SIDE)


class Counted:
    """A tower's tokens, and how many pictures were seen."""

    __name__ = "tokens"

    def __init__(self, tower, stop_at=None):
        self.tower, self.seen, self.stop_at = tower, 0, stop_at

    def __call__(self, pixels):
        self.seen += len(pixels)
        if self.stop_at is not None and self.seen > self.stop_at:
            raise KeyboardInterrupt
        return self.tower(pixels).last_hidden_state


def keep(see, images, folder, views=Views(3, 7), **more):  # noqa: B008
    return keep_features(see.tower, see, images, images.boxes, views, folder, batch_size=2, **more)


@torch.no_grad()
def test_the_first_view_is_the_picture_itself(tower, images, tmp_path):
    tokens, boxes = keep_tokens(tower, images, Views(2, 7), tmp_path, batch_size=2)
    plain = tower(images.pixel_values(range(5))).last_hidden_state
    assert tokens.shape == (2, *plain.shape)
    torch.testing.assert_close(tokens[0].float(), plain, atol=0.05, rtol=0.02)  # kept as bf16
    torch.testing.assert_close(boxes[0], images.boxes, equal_nan=True)
    assert not torch.equal(tokens[1], tokens[0])


def test_a_view_is_a_matter_of_seed_and_picture_alone(tower, images, tmp_path):
    """Neither the batch nor the other pictures change it, and boxes move with their pictures."""
    tokens, boxes = keep_tokens(tower, images, Views(3, 7), None, batch_size=2)
    part, part_boxes = keep_tokens(tower, images.subset([3, 1]), Views(2, 7), None)
    torch.testing.assert_close(part[1], tokens[1][[3, 1]], atol=0.05, rtol=0.02)
    torch.testing.assert_close(part_boxes[1], boxes[1][[3, 1]], equal_nan=True)
    other, _ = keep_tokens(tower, images, Views(2, 8), None)
    assert not torch.equal(other[1], tokens[1])


def test_a_file_is_read_and_not_computed_again(tower, images, tmp_path):
    first = Counted(tower)
    kept, boxes = keep(first, images, tmp_path)
    again = Counted(tower)
    same, same_boxes = keep(again, images, tmp_path)
    assert again.seen == 1  # one empty picture tells the shape
    assert torch.equal(same, kept)
    torch.testing.assert_close(same_boxes, boxes, equal_nan=True)
    in_memory, _ = keep(Counted(tower), images, None)
    assert torch.equal(in_memory, kept)


@pytest.mark.parametrize("changed", ["weights", "pictures", "views", "number type", "ability"])
def test_nothing_stale_is_read(tower, images, tmp_path, monkeypatch, changed):
    keep(Counted(tower), images, tmp_path)
    see, views = Counted(tower), Views(3, 7)
    if changed == "weights":
        tower.layernorm.weight.data[0] += 1
    elif changed == "pictures":
        images.squares[4][0, 0] ^= 1
    elif changed == "views":
        views = Views(3, 7, {"zoom": 0.3})
    elif changed == "number type":
        monkeypatch.setattr(
            "jomed_app.training.cases.kept_features.dtype_name", lambda dtype: "another"
        )
    else:
        see.__name__ = "another"
    keep(see, images, tmp_path, views)
    assert see.seen == 1 + 3 * 5


def test_a_stopped_computation_goes_on(tower, images, tmp_path, monkeypatch):
    monkeypatch.setattr("jomed_app.training.cases.kept_features.NOTED_EVERY", 1)
    with pytest.raises(KeyboardInterrupt):
        keep(Counted(tower, stop_at=9), images, tmp_path)
    told = []
    see = Counted(tower)
    kept, _ = keep(see, images, tmp_path, on_progress=lambda done, total: told.append(done))
    assert 1 < see.seen < 1 + 3 * 5
    assert told[-1] == 15
    assert torch.equal(kept, keep(Counted(tower), images, None)[0])


def test_a_file_that_was_cut_is_made_anew(tower, images, tmp_path):
    kept, _ = keep(Counted(tower), images, tmp_path)
    expected = kept.clone()
    (path,) = tmp_path.glob("*.bf16")
    path.write_bytes(path.read_bytes()[:-2])
    see = Counted(tower)
    assert torch.equal(keep(see, images, tmp_path)[0], expected)
    assert see.seen == 1 + 3 * 5
