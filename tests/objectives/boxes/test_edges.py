"""Loss of box edges: hand values, gradients, error texts."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from jomed_app.objectives.boxes.edges import edge_loss, generalized_iou

BINS = 32
BOX = torch.tensor([[0.25, 0.125, 0.75, 0.5]])


def bell(boxes: torch.Tensor, sigma: float = 1.0) -> torch.Tensor:
    """Logits of the very bell that the loss asks for."""
    centers = (torch.arange(BINS) + 0.5) / BINS
    return -0.5 * ((centers - boxes[..., None]) * BINS / sigma).square()


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((0, 0, 2, 2), (0, 0, 2, 2), 1.0),
        ((0, 0, 2, 2), (1, 1, 3, 3), 1 / 7 - 2 / 9),
        ((0, 0, 1, 1), (2, 0, 3, 1), -1 / 3),
        ((0, 0, 4, 4), (1, 1, 3, 3), 0.25),
        ((0, 0, 1, 1), (1, 0, 2, 1), 0.0),
        ((2, 2, 0, 0), (0, 0, 2, 2), 0.0),
    ],
    ids=["same", "corner", "apart", "inside", "side by side", "inverted"],
)
def test_generalized_iou_by_hand(first, second, expected):
    boxes = torch.tensor([first, second], dtype=torch.float32)
    found = generalized_iou(boxes[:1], boxes[1:])
    torch.testing.assert_close(found, torch.tensor([expected]), atol=1e-6, rtol=1e-5)


corner = st.floats(0.0, 0.5, width=32)
size = st.floats(0.0625, 0.5, width=32)
boxes = st.tuples(corner, corner, size, size).map(
    lambda b: torch.tensor([[b[0], b[1], b[0] + b[2], b[1] + b[3]]])
)


@settings(deadline=None)  # a busy machine is no fault
@given(boxes, boxes)
def test_generalized_iou_is_symmetric_bounded_and_free_of_scale(first, second):
    value = generalized_iou(first, second)
    assert -1 <= value.item() <= 1 + 1e-5
    torch.testing.assert_close(generalized_iou(second, first), value)
    torch.testing.assert_close(
        generalized_iou(4 * first + 1, 4 * second + 1), value, atol=1e-4, rtol=1e-4
    )


def test_the_bell_that_is_asked_for_costs_next_to_nothing():
    assert edge_loss(bell(BOX), BOX).item() == pytest.approx(0.0, abs=1e-3)
    assert edge_loss(bell(BOX, 2.0), BOX, sigma=2.0).item() == pytest.approx(0.0, abs=1e-2)
    assert edge_loss(bell(BOX, 2.0), BOX).item() > 0.1, "twice as wide as asked for"


def test_the_loss_grows_with_the_distance():
    losses = [edge_loss(bell(BOX + shift), BOX).item() for shift in (0.0, 0.05, 0.1, 0.2)]
    assert losses == sorted(losses)
    assert losses[1] > losses[0] + 0.1


def test_knowing_nothing_by_hand():
    """Uniform edges expect a point in the middle, which is inside: GIoU = -(hull - union) / hull.

    The hull is the box, so GIoU is 0; the rest is log L less the bell's entropy.
    """
    bells = bell(BOX).softmax(-1)
    entropy = -(bells * bells.log().clamp_min(-100)).sum(-1).mean()
    expected = torch.tensor(float(BINS)).log() - entropy + 1.0
    box = torch.tensor([[0.25, 0.25, 0.75, 0.75]])
    loss = edge_loss(torch.zeros(1, 4, BINS), box)
    torch.testing.assert_close(loss, expected, atol=1e-3, rtol=1e-3)


def test_the_gradient_leads_to_the_box():
    logits = torch.zeros(1, 4, BINS, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.3)
    for _ in range(150):
        optimizer.zero_grad()
        edge_loss(logits, BOX).backward()
        optimizer.step()
    centers = (torch.arange(BINS) + 0.5) / BINS
    expected = (logits.softmax(-1) * centers).sum(-1)
    torch.testing.assert_close(expected.detach(), BOX, atol=0.01, rtol=0)


def test_the_loss_is_a_mean_over_boxes():
    other = torch.tensor([[0.1, 0.5, 0.3, 0.9]])
    logits = torch.randn(2, 4, BINS, generator=torch.Generator().manual_seed(0))
    both = edge_loss(logits, torch.cat([BOX, other]))
    apart = (edge_loss(logits[:1], BOX) + edge_loss(logits[1:], other)) / 2
    torch.testing.assert_close(both, apart)


def test_a_batch_without_a_box_costs_nothing_and_can_be_learned_from():
    logits = torch.zeros(0, 4, BINS, requires_grad=True)
    loss = edge_loss(logits, torch.zeros(0, 4))
    assert loss.item() == 0.0
    loss.backward()
    assert logits.grad is not None


def test_edges_and_boxes_must_fit():
    with pytest.raises(ValueError, match=r"must fit, found \(2, 4, 32\) and \(1, 4\)"):
        edge_loss(torch.zeros(2, 4, BINS), BOX)
