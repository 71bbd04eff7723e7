"""The localizer: shapes, both read-outs by hand, its own early stages, saving."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from jomed_app.errors import BundleError
from jomed_app.models.localizer.dense_head import DenseBoxes, boxes_from_distances, cell_centers
from jomed_app.models.localizer.localizer import (
    Localizer,
    LocalizerConfig,
    LocalizerOutput,
    load_localizer,
)
from jomed_app.models.pixels import to_pixel_values
from tests.tiny_models import build_tiny_dinov2, build_tiny_tower

SIDE, BINS, LABELS = 64, 16, 3


def build(stride: int = 16, **more: object) -> Localizer:
    """Small and of random weights."""
    torch.manual_seed(0)
    shape = LocalizerConfig(
        image_size=SIDE,
        tower_width=0.1,
        width=24,
        stride=stride,
        location_bins=BINS,
        distance_bins=8,
        empty_labels=[1],
        **more,
    )
    localizer = Localizer(shape)
    localizer.start_from(build_tiny_tower())
    return localizer.eval()


def squares(count: int = 3) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8) for _ in range(count)]


@pytest.fixture
def maps():
    with torch.no_grad():
        return build_tiny_tower().start_map(to_pixel_values(squares()))


def speak(localizer: Localizer, *answers: LocalizerOutput) -> None:
    """Let the localizer say these things, one after the other, whatever it sees."""
    said = iter(answers)
    localizer.forward = lambda early: next(said)  # type: ignore[method-assign,assignment]


def answer(
    edges: tuple[int, ...], box: tuple[float, ...], classes: tuple[float, ...], cell: int = 0
) -> LocalizerOutput:
    """One image: sure edges, one sure cell with a box, class logits, attention on that cell."""
    cells = (SIDE // 16) ** 2
    logits = torch.full((1, 4, BINS), -40.0)
    logits[0, range(4), list(edges)] = 40.0
    scores = torch.full((1, cells), -40.0)
    scores[0, cell] = 0.0
    attention = torch.zeros(1, cells)
    attention[0, cell] = 1.0
    dense = DenseBoxes(
        scores,
        torch.zeros(1, cells, 4, 8),
        torch.zeros(1, cells, LABELS),
        torch.tensor(box).expand(1, cells, 4),
    )
    return LocalizerOutput(logits, torch.tensor([classes]), attention, dense)


@pytest.mark.parametrize(("stride", "cells"), [(16, 16), (8, 64)])
def test_everything_has_its_shape(maps, stride, cells):
    said = build(stride)(maps)
    assert said.edge_logits.shape == (3, 4, BINS)
    assert said.class_logits.shape == (3, LABELS)
    assert said.attention.shape == said.dense.scores.shape == (3, cells)
    assert said.dense.boxes.shape == (3, cells, 4)
    torch.testing.assert_close(said.attention.sum(-1), torch.ones(3))


def test_the_start_map_is_what_the_tower_goes_on_from():
    tower = build_tiny_tower(image_size=SIDE)
    pixels = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    localizer = build()
    hidden = tower.start_map(pixels)
    assert hidden.shape == (2, tower.config.stage_channels[2], SIDE // 8, SIDE // 8)
    for stage in localizer.stages[:2]:
        hidden = stage(hidden)
    torch.testing.assert_close(hidden, tower.fine_map(pixels))


def test_images_do_not_touch_each_other(maps):
    localizer = build()
    together, alone = localizer(maps), localizer(maps[1:2])
    torch.testing.assert_close(alone.edge_logits[0], together.edge_logits[1], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(alone.dense.boxes[0], together.dense.boxes[1], atol=1e-4, rtol=1e-4)


def test_the_dense_head_guides_the_queries_and_learns_nothing_from_them(maps):
    localizer = build()
    localizer(maps).edge_logits.square().mean().backward()
    assert localizer.dense.measure.weight.grad is None
    assert localizer.stages[0][0].project.weight.grad.abs().sum() > 0
    blind = build(use_prior=False)
    blind.load_state_dict(localizer.state_dict())
    assert not torch.allclose(blind(maps).edge_logits, localizer(maps).edge_logits)


def test_one_answer_by_hand():
    """The queries' edges lie in their bins and make the box; the dense head's stands beside it."""
    localizer = build()
    speak(localizer, answer((4, 2, 11, 5), (0.3, 0.2, 0.7, 0.4), (0.0, 0.0, 0.0)))
    (found,) = localizer.find_in_maps(torch.zeros(1))
    told = (4.5 / 16, 2.5 / 16, 11.5 / 16, 5.5 / 16)
    assert found.box.as_tuple() == pytest.approx(told, abs=0.1 / 16)
    assert found.boxes[0].as_tuple() == pytest.approx((0.3, 0.2, 0.7, 0.4))
    assert (len(found.boxes), found.scores[0]) == (1, pytest.approx(0.5))
    assert found.presence == pytest.approx(2 / 3)
    assert found.confidence == pytest.approx(1.0)
    assert found.attention.argmax() == 0


def test_a_box_is_whole_and_inside_whatever_is_said():
    localizer = build()
    speak(localizer, answer((15, 0, 0, 0), (-0.5, 1.2, -0.1, 1.7), (0.0, 0.0, 0.0)))
    (found,) = localizer.find_in_maps(torch.zeros(1))
    for box in (found.box, *found.boxes):
        x0, y0, x1, y1 = box.as_tuple()
        assert 0 <= x0 < x1 <= 1
        assert 0 <= y0 < y1 <= 1


def test_a_round_trip_through_distances_keeps_a_box():
    """A cell that is sure of the true distances says the true box."""
    localizer = build()
    localizer.config.reach = 0.7
    centers, truth = cell_centers(4, 4), torch.tensor([0.2, 0.1, 0.8, 0.7])
    bins = 8
    away = torch.cat([centers[5] - truth[:2], truth[2:] - centers[5]]) / 0.7 * (bins - 1)
    low = away.floor().long()
    probability = torch.zeros(4, bins)
    probability[range(4), low] = 1 - (away - low)
    probability[range(4), low + 1] += away - low
    distances = probability @ torch.linspace(0, 0.7, bins)
    torch.testing.assert_close(boxes_from_distances(centers[5:6], distances[None])[0], truth)


def test_it_sees_images_with_its_own_early_stages():
    """Squares lead to the same answer as the tower's maps; nothing of the tower is needed."""
    localizer = build()
    with torch.no_grad():
        early = build_tiny_tower().start_map(to_pixel_values(squares()))
    expected = localizer.find_in_maps(early)
    for one, other in zip(localizer.find(squares()), expected, strict=True):
        assert one.box.as_tuple() == pytest.approx(other.box.as_tuple(), abs=1e-5)
        torch.testing.assert_close(one.class_prob, other.class_prob)
    assert not any(each.requires_grad for each in localizer.early.parameters())


def test_it_runs_in_half_precision():
    localizer = build()
    (exact, *_), (rough, *_) = localizer.find(squares()), localizer.bfloat16().find(squares())
    assert rough.presence == pytest.approx(exact.presence, abs=0.05)
    assert rough.attention.sum() == pytest.approx(1.0, abs=0.02)


def test_a_file_keeps_what_was_learned(tmp_path):
    localizer = build()
    localizer.save_pretrained(tmp_path)
    again = load_localizer(tmp_path)
    assert not again.training
    assert again.config.empty_labels == [1]
    assert not any(each.requires_grad for each in again.early.parameters())
    for one, other in zip(again.find(squares()), localizer.find(squares()), strict=True):
        assert one.box == other.box
        assert one.presence == other.presence


def test_a_folder_without_early_stages_takes_those_of_a_tower(tmp_path):
    localizer = build()
    localizer.save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    late = {name: value for name, value in weights.items() if not name.startswith("early.")}
    save_file(late, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(BundleError, match=r"must hold all its weights, 'early.stages.* is missing"):
        load_localizer(tmp_path)
    again = load_localizer(tmp_path, tower=build_tiny_tower())
    for name, value in localizer.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name


def test_early_stages_are_carried_from_a_tower():
    localizer, other = build(), build_tiny_tower(7)
    localizer.early.take(other)
    assert torch.equal(localizer.early.stem.weight, other.stem.weight)
    assert torch.equal(localizer.stages[0][0].project.weight, build().stages[0][0].project.weight)
    localizer.early.stem.weight.data.zero_()
    assert other.stem.weight.any(), "a copy, not the tower's own"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("image_size", 100, "image_size must be a multiple of 32, found 100"),
        ("stride", 4, "stride must be 8 or 16 or 32, found 4"),
        ("width", 100, "width must be a multiple of 24, found 100"),
    ],
)
def test_a_shape_that_cannot_be_is_refused(field, value, message):
    with pytest.raises(ValueError, match=message):
        LocalizerConfig(**{field: value})


@pytest.mark.parametrize("stride", [7, 14])
def test_a_lent_tower_is_no_part_of_the_localizer(tmp_path, stride):
    tower = build_tiny_dinov2(image_size=56)
    shape = LocalizerConfig(
        image_size=56,
        tower=tower.config.to_diff_dict(),
        width=24,
        stride=stride,
        location_bins=BINS,
    )
    localizer = Localizer(shape).eval()
    localizer.start_from(tower)
    seen = [each[:56, :56] for each in squares()]
    found = localizer.find(seen)
    assert found[0].attention.shape == (56 // stride, 56 // stride)
    localizer.save_pretrained(tmp_path)
    assert not [name for name in load_file(tmp_path / "model.safetensors") if "early" in name]
    again = load_localizer(tmp_path, tower=tower)
    assert again.find(seen)[1].box == found[1].box
    alone = load_localizer(tmp_path)
    with torch.no_grad():
        start = tower.start_map(to_pixel_values(seen))
    assert alone.find_in_maps(start)[1].box == found[1].box
    with pytest.raises(ValueError, match="must be lent the reader's tower"):
        alone.find(seen)


def test_gradients_stay_behind_the_start_map():
    tower = build_tiny_dinov2(image_size=56)
    shape = LocalizerConfig(
        image_size=56, tower=tower.config.to_diff_dict(), width=24, stride=14, location_bins=BINS
    )
    localizer = Localizer(shape)
    localizer.start_from(tower)
    with torch.no_grad():
        start = tower.start_map(torch.randn(1, 3, 56, 56))
    said = localizer(start)
    (said.edge_logits.square().mean() + said.dense.scores.square().mean()).backward()
    assert all(each.grad is None for each in tower.parameters())
    assert localizer.laterals[0].weight.grad.abs().sum() > 0
