"""The box of greatest expected IoU: sure edges, unsure ones, and the same answer every time."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from jomed_app.boxes import Box, iou
from jomed_app.models.localizer.expected_box import expected_overlap_box
from jomed_app.objectives.boxes.edges import box_iou

BINS = 16


def edges_at(*places: int) -> torch.Tensor:
    """Distributions that are sure of one bin each."""
    return torch.nn.functional.one_hot(torch.tensor(places), BINS).float()


def test_sure_edges_give_their_box():
    box = expected_overlap_box(edges_at(2, 4, 9, 12)) * BINS
    low, high = torch.tensor([2.0, 4.0, 9.0, 12.0]), torch.tensor([3.0, 5.0, 10.0, 13.0])
    assert ((box >= low) & (box <= high)).all()


def test_of_two_answers_the_likelier_one_is_given_not_the_mean():
    edges = edges_at(2, 4, 9, 12)
    edges[2] = 0.0
    edges[2, 5], edges[2, 14] = 0.3, 0.7
    right = expected_overlap_box(edges)[2] * BINS
    assert 14 <= right <= 15


def test_a_box_that_overlaps_all_wins_over_the_single_most_probable_one():
    """Three bins in a row of 0.3 each are worth more than a far one of 0.4."""
    edges = edges_at(2, 4, 9, 12)
    edges[2] = 0.0
    edges[2, 3] = 0.34
    edges[2, 9:12] = 0.22
    assert edges[2].argmax() == 3
    assert expected_overlap_box(edges)[2] * BINS > 9


def test_crossed_edges_are_put_in_order():
    box = expected_overlap_box(edges_at(9, 12, 2, 4))
    assert box[0] < box[2]
    assert box[1] < box[3]


def test_the_same_distributions_give_the_same_box():
    edges = torch.rand(4, BINS, generator=torch.Generator().manual_seed(0)).softmax(-1)
    torch.testing.assert_close(expected_overlap_box(edges), expected_overlap_box(edges))


@given(st.lists(st.lists(st.floats(0.0, 1.0), min_size=8, max_size=8), min_size=4, max_size=4))
def test_any_distributions_give_a_box_on_the_unit_square(rows):
    edges = torch.tensor(rows) + 1e-3
    box = expected_overlap_box(edges / edges.sum(-1, keepdim=True))
    assert ((box >= 0) & (box <= 1)).all()
    assert (box[:2] <= box[2:]).all()


@given(st.lists(st.floats(0.0, 1.0), min_size=8, max_size=8, unique=True))
def test_overlaps_are_those_of_boxes(values):
    pairs = [sorted(values[place : place + 2]) for place in range(0, 8, 2)]
    first, second = (
        (x[0], y[0], x[1], y[1]) for x, y in ((pairs[0], pairs[1]), (pairs[2], pairs[3]))
    )
    if any(b - a < 1e-3 for a, b in pairs):
        return
    found = box_iou(torch.tensor([first]), torch.tensor([second]))
    assert found.item() == pytest.approx(iou(Box(*first), Box(*second)), abs=1e-4)


def test_empty_boxes_overlap_nothing():
    empty = torch.tensor([[0.5, 0.5, 0.5, 0.9]])
    assert box_iou(empty, empty).item() == 0.0
