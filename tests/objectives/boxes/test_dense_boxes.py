"""Losses of the dense head: hand values, gradients, invariance, edge cases, error texts."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from jomed_app.objectives.boxes.dense_boxes import assign_cells, dense_loss, two_bin_loss
from jomed_app.objectives.boxes.edges import box_iou

NAN = [math.nan] * 4
GRID = 4
BINS = 5


def centers() -> torch.Tensor:
    """Of 4 x 4 cells: 1/8, 3/8, 5/8, 7/8."""
    axis = (torch.arange(GRID) + 0.5) / GRID
    down, across = torch.meshgrid(axis, axis, indexing="ij")
    return torch.stack([across, down], dim=-1).reshape(-1, 2)


def loss(scores, boxes, labels, *, predicted=None, distance_logits=None, class_logits=None):
    count = len(scores)
    if predicted is None:
        predicted = torch.tensor([0.0, 0.0, 1.0, 1.0]).expand(count, GRID**2, 4)
    if distance_logits is None:
        distance_logits = torch.zeros(count, GRID**2, 4, BINS)
    if class_logits is None:
        class_logits = torch.zeros(count, GRID**2, 2)
    return dense_loss(
        scores, distance_logits, class_logits, predicted, centers(), boxes, labels, reach=1.0
    )


def test_cells_in_the_middle_half_belong_to_the_box():
    whole = torch.tensor([[[0.0, 0.0, 1.0, 1.0], NAN]])
    owner = assign_cells(centers(), whole)[0].view(GRID, GRID)
    expected = torch.full((GRID, GRID), -1)
    expected[1:3, 1:3] = 0
    assert torch.equal(owner, expected)


def test_a_tiny_box_has_its_nearest_cell():
    owner = assign_cells(centers(), torch.tensor([[[0.8, 0.1, 0.82, 0.11]]]))[0]
    assert (owner >= 0).nonzero().flatten().tolist() == [3]


def test_the_smaller_of_two_boxes_wins_where_both_claim_a_cell():
    boxes = torch.tensor([[[0.0, 0.0, 1.0, 1.0], [0.3, 0.3, 0.45, 0.45]]])
    owner = assign_cells(centers(), boxes)[0]
    assert owner[5] == 1
    assert sorted(owner[[6, 9, 10]].tolist()) == [0, 0, 0]


def test_an_image_without_a_box_owns_no_cell():
    assert (assign_cells(centers(), torch.tensor([[NAN, NAN]])) == -1).all()


def test_scores_by_hand():
    """Focus is the squared error of the probability: one sure cell of an empty image."""
    scores = torch.full((1, GRID**2), -50.0)
    scores[0, 0] = 0.0
    terms = loss(scores, torch.tensor([[NAN]]), torch.tensor([0]))
    assert terms["score"].item() == pytest.approx(0.25 * math.log(2))
    assert [terms[name].item() for name in ("giou", "spread", "kind")] == [0.0, 0.0, 0.0]


def test_a_perfect_answer_costs_only_what_is_not_said():
    truth = torch.tensor([[[0.25, 0.25, 0.75, 0.75]]])
    owned = assign_cells(centers(), truth)[0] >= 0
    scores = torch.where(owned, 50.0, -50.0)[None]
    terms = loss(scores, truth, torch.tensor([1]), predicted=truth.expand(1, GRID**2, 4))
    assert terms["score"].item() == pytest.approx(0.0, abs=1e-6)
    assert terms["giou"].item() == pytest.approx(0.0, abs=1e-6)
    assert terms["spread"].item() == pytest.approx(math.log(BINS))
    assert terms["kind"].item() == pytest.approx(math.log(2))


def test_the_score_is_drawn_to_the_iou_and_not_to_one():
    truth = torch.tensor([[[0.0, 0.0, 1.0, 0.5]]])
    scores = torch.zeros(1, GRID**2, requires_grad=True)  # probability 1/2, IoU 1/2
    loss(scores, truth, torch.tensor([0]))["score"].backward()
    owned = assign_cells(centers(), truth)[0] >= 0
    assert scores.grad is not None
    assert (scores.grad[0, owned] == 0).all()
    assert (scores.grad[0, ~owned] > 0).all()


def test_order_of_images_does_not_matter():
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(3, GRID**2, generator=generator)
    boxes = torch.tensor([[[0.1, 0.1, 0.6, 0.7]], [NAN], [[0.5, 0.2, 0.9, 0.4]]])
    labels = torch.tensor([0, 1, 1])
    first = loss(scores, boxes, labels)
    second = loss(scores.flip(0), boxes.flip(0), labels.flip(0))
    for name, value in first.items():
        torch.testing.assert_close(second[name], value)


@pytest.mark.parametrize(
    ("value", "target"),
    [
        (0.5, [0, 0, 1, 0, 0]),
        (0.3, [0, 0.8, 0.2, 0, 0]),
        (1.0, [0, 0, 0, 0, 1]),
        (-2.0, [1, 0, 0, 0, 0]),
    ],
    ids=["on a bin", "between", "last", "clipped"],
)
def test_a_distance_teaches_the_two_bins_around_it(value, target):
    logits = torch.tensor([0.3, -1.0, 2.0, 0.5, 0.0])
    expected = functional.cross_entropy(logits, torch.tensor(target, dtype=torch.float32))
    torch.testing.assert_close(two_bin_loss(logits, torch.tensor(value)), expected)


def test_gradients_of_distances_and_boxes():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 4, BINS, generator=generator, dtype=torch.float64, requires_grad=True)
    values = torch.rand(2, 4, generator=generator, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: two_bin_loss(x, values), logits)


def test_iou_by_hand():
    first = torch.tensor([[0.0, 0.0, 2.0, 2.0], [2.0, 2.0, 0.0, 0.0]])
    second = torch.tensor([[1.0, 1.0, 3.0, 3.0]])
    torch.testing.assert_close(box_iou(first, second), torch.tensor([1 / 7, 0.0]))
    assert box_iou(first[:, None], second[None]).shape == (2, 1)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"boxes \(B, P, 4\) and centers \(P, 2\) must fit"):
        loss(torch.zeros(1, 3), torch.tensor([[NAN]]), torch.tensor([0]))
