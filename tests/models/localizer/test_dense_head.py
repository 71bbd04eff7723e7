"""Dense boxes: cells, non-maximum suppression, votes and the prior, by hand."""

from __future__ import annotations

import pytest
import torch

from jomed_app.models.localizer.dense_head import (
    DenseHead,
    boxes_from_distances,
    cell_centers,
    edge_prior,
    suppress,
    vote,
)

BOXES = torch.tensor(
    [[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 1.8], [4.0, 4.0, 5.0, 5.0], [1.0, 1.0, 3.0, 3.0]]
)
SCORES = torch.tensor([0.8, 0.9, 0.3, 0.5])


def test_centers_run_row_by_row():
    assert cell_centers(2, 2).tolist() == [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]]


def test_distances_around_a_center_are_a_box():
    box = boxes_from_distances(torch.tensor([[0.5, 0.25]]), torch.tensor([[0.1, 0.2, 0.3, 0.4]]))
    torch.testing.assert_close(box, torch.tensor([[0.4, 0.05, 0.8, 0.65]]))


def test_boxes_are_what_distances_and_centers_say():
    torch.manual_seed(0)
    head = DenseHead(24, 3, 8, 0.5).eval()
    said = head(torch.randn(2, 24, 3, 5))
    assert said.scores.shape == (2, 15)
    assert said.distance_logits.shape == (2, 15, 4, 8)
    assert said.class_logits.shape == (2, 15, 3)
    centers = cell_centers(3, 5)
    away = torch.cat([centers - said.boxes[..., :2], said.boxes[..., 2:] - centers], dim=-1)
    assert (away >= 0).all()
    assert (away <= 0.5).all()
    steps = torch.linspace(0, 0.5, 8)
    torch.testing.assert_close(away, said.distance_logits.softmax(-1) @ steps)


def test_suppression_by_hand():
    """Box 1 beats box 0 (IoU 0.9); box 3 overlaps box 1 by 0.8 / 6.8."""
    assert suppress(BOXES, SCORES, overlap=0.5, most=9) == [1, 3, 2]
    assert suppress(BOXES, SCORES, overlap=0.1, most=9) == [1, 2]
    assert suppress(BOXES, SCORES, overlap=0.95, most=2) == [1, 0]


def test_nothing_is_kept_of_nothing():
    assert suppress(torch.zeros(0, 4), torch.zeros(0), overlap=0.5, most=4) == []


def test_boxes_that_agree_are_averaged_by_score():
    voted = vote(BOXES[1], BOXES, SCORES, overlap=0.5)
    low = (0.8 * 2.0 + 0.9 * 1.8) / 1.7
    torch.testing.assert_close(voted, torch.tensor([0.0, 0.0, 2.0, low]))
    torch.testing.assert_close(vote(BOXES[2], BOXES, SCORES, overlap=0.5), BOXES[2])


def test_the_prior_peaks_where_the_surest_cell_says():
    boxes = torch.tensor([[[0.25, 0.5, 0.5, 0.75], [0.0, 0.0, 1.0, 1.0]]])
    prior = edge_prior(boxes, torch.tensor([[4.0, -4.0]]), 16)
    assert prior.shape == (1, 4, 16)
    torch.testing.assert_close(prior.exp().sum(-1), torch.ones(1, 4))
    expected = [edge * 16 for edge in (0.25, 0.5, 0.5, 0.75)]
    found = (prior.exp() * (torch.arange(16) + 0.5)).sum(-1)[0]
    assert found.tolist() == pytest.approx(expected, abs=0.2)
