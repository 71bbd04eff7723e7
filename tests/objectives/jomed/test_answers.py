"""The answer loss: hand values, weights, bells over location tokens."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from jomed_app.objectives.jomed.answers import answer_loss

NO_LOCATIONS = torch.zeros(0, dtype=torch.long)
BINS = torch.arange(4, 12)  # ids 4..11 of a vocabulary of 12


def test_no_knowledge_costs_the_log_of_the_vocabulary():
    loss = answer_loss(torch.zeros(1, 4), torch.tensor([2]), torch.ones(1), NO_LOCATIONS)
    torch.testing.assert_close(loss, torch.tensor(4.0).log())


def test_hand_value_of_a_weighted_mean():
    # Likelihoods 1/2 (weight 3) and 1/4 (weight 1): (3 log 2 + log 4) / 4 = 5/4 log 2.
    logits = torch.tensor([[0.5, 0.5], [0.25, 0.75]]).log()
    loss = answer_loss(logits, torch.tensor([0, 0]), torch.tensor([3.0, 1.0]), NO_LOCATIONS)
    torch.testing.assert_close(loss, torch.tensor(1.25 * math.log(2)))


def test_weights_are_relative():
    logits, targets, weights = torch.randn(5, 12), torch.tensor([0, 1, 5, 11, 3]), torch.rand(5)
    first = answer_loss(logits, targets, weights, BINS)
    torch.testing.assert_close(answer_loss(logits, targets, 7 * weights, BINS), first)


@settings(max_examples=30, deadline=None)
@given(st.floats(-50, 50))
def test_a_shift_of_the_logits_changes_nothing(shift):
    logits = torch.linspace(-1, 1, 24).view(2, 12)
    targets, weights = torch.tensor([1, 7]), torch.ones(2)
    first = answer_loss(logits, targets, weights, BINS, label_smoothing=0.1)
    moved = answer_loss(logits + shift, targets, weights, BINS, label_smoothing=0.1)
    torch.testing.assert_close(moved, first, atol=1e-4, rtol=1e-4)


def test_a_token_without_weight_has_no_gradient():
    logits = torch.randn(2, 12, requires_grad=True)
    answer_loss(logits, torch.tensor([1, 7]), torch.tensor([1.0, 0.0]), BINS).backward()
    assert logits.grad[0].norm() > 0
    assert not logits.grad[1].any()


def test_gradient_of_a_word_is_softmax_minus_one_hot():
    logits = torch.randn(1, 12, requires_grad=True)
    answer_loss(logits, torch.tensor([1]), torch.ones(1), BINS).backward()
    expected = logits.detach().softmax(-1) - torch.nn.functional.one_hot(torch.tensor([1]), 12)
    torch.testing.assert_close(logits.grad, expected)


def test_smoothing_by_hand():
    logits = torch.tensor([[0.5, 0.25, 0.25]]).log()
    loss = answer_loss(logits, torch.tensor([0]), torch.ones(1), NO_LOCATIONS, label_smoothing=0.3)
    expected = 0.7 * math.log(2) + 0.3 * (math.log(2) + 2 * math.log(4)) / 3
    torch.testing.assert_close(loss, torch.tensor(expected))


def test_one_bin_off_costs_less_than_five_off():
    losses = []
    for place in range(6):
        logits = torch.full((1, 12), -4.0)
        logits[0, BINS[place]] = 4.0
        losses.append(float(answer_loss(logits, BINS[:1], torch.ones(1), BINS)))
    assert losses == sorted(losses)
    assert losses[1] < losses[5] - 1


def test_a_narrow_bell_is_the_plain_loss():
    logits = torch.randn(1, 12)
    loss = answer_loss(logits, BINS[3:4], torch.ones(1), BINS, location_sigma=0.05)
    torch.testing.assert_close(loss, -logits.log_softmax(-1)[0, BINS[3]])


def test_the_bell_itself_is_the_best_answer():
    distance = torch.arange(8.0) - 3
    bell = (-0.5 * distance.square()).softmax(-1)
    logits = torch.full((1, 12), -1e4)
    logits[0, BINS] = bell.log()
    logits.requires_grad_(True)
    loss = answer_loss(logits, BINS[3:4], torch.ones(1), BINS)
    torch.testing.assert_close(loss, -(bell * bell.log()).sum(), atol=1e-5, rtol=1e-5)
    loss.backward()
    assert logits.grad.abs().max() < 1e-6


def test_a_bell_is_not_smoothed():
    logits = torch.randn(1, 12)
    args = (logits, BINS[3:4], torch.ones(1), BINS)
    torch.testing.assert_close(answer_loss(*args, label_smoothing=0.2), answer_loss(*args))


def test_words_and_locations_mix():
    logits, targets = torch.randn(3, 12), torch.tensor([1, 7, 0])
    parts = [
        answer_loss(logits[row : row + 1], targets[row : row + 1], torch.ones(1), BINS)
        for row in range(3)
    ]
    whole = answer_loss(logits, targets, torch.ones(3), BINS)
    torch.testing.assert_close(whole, torch.stack(parts).mean())


def test_something_must_be_asked():
    with pytest.raises(ValueError, match="at least one answer token must have a weight above zero"):
        answer_loss(torch.zeros(1, 4), torch.tensor([0]), torch.zeros(1), NO_LOCATIONS)
