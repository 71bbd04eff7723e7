"""Sampled responses: their tokens, their probabilities, the boxes they spell."""

from __future__ import annotations

import math

import pytest
import torch

from jomed_app.data.wording.answers import bins_box
from jomed_app.training.rewards.rollout import (
    PolicyOutput,
    Rollouts,
    greedy_rollout,
    response_boxes,
    response_entropy,
    sample_rollouts,
    token_log_prob,
)

NONE, FINDING = 0, 1


def output_of(edges: torch.Tensor, classes: torch.Tensor, **more) -> PolicyOutput:
    return PolicyOutput(edges, classes, torch.zeros(len(edges)), **more)


def random_output(seed: int = 0, batch_size: int = 3, bins: int = 4) -> PolicyOutput:
    generator = torch.Generator().manual_seed(seed)
    edges = torch.randn(batch_size, 4, bins, generator=generator)
    return output_of(edges, torch.randn(batch_size, 2, generator=generator))


def draw(output: PolicyOutput, count: int, seed: int = 0) -> Rollouts:
    return sample_rollouts(output, count, (NONE,), torch.Generator().manual_seed(seed))


def test_a_class_without_a_finding_ends_the_response():
    rollouts = draw(random_output(), 50)
    assert rollouts.keep_mask[..., 0].all()
    assert torch.equal(rollouts.has_box, rollouts.classes == FINDING)
    assert torch.equal(rollouts.keep_mask[..., 1:].any(-1), rollouts.has_box)
    assert not rollouts.bins[~rollouts.has_box].any()
    assert {0, 1} == set(rollouts.classes.flatten().tolist())


def test_samples_follow_the_distribution_of_each_query_and_edge():
    output = random_output()
    rollouts = draw(output, 8_000)
    shares = torch.nn.functional.one_hot(rollouts.classes, 2).float().mean(1)
    torch.testing.assert_close(shares, output.class_logits.softmax(-1), atol=0.02, rtol=0)
    expected = output.edge_logits.softmax(-1)
    for query in range(3):
        bins = rollouts.bins[query][rollouts.has_box[query]]
        found = torch.nn.functional.one_hot(bins, 4).float().mean(0)
        # three standard errors of a share among 2000 draws and more
        torch.testing.assert_close(found, expected[query], atol=0.03, rtol=0)


def test_sampling_follows_its_generator():
    output = random_output()
    first, again, other = (draw(output, 16, seed) for seed in (0, 0, 1))
    assert torch.equal(first.bins, again.bins)
    assert torch.equal(first.classes, again.classes)
    assert not torch.equal(first.bins, other.bins)


def test_a_low_temperature_tells_the_most_probable():
    output = random_output()
    cold = draw(output.tempered(1e-3), 8)
    best = greedy_rollout(output, (NONE,))
    assert torch.equal(cold.classes, best.classes.expand(-1, 8))
    assert torch.equal(cold.bins, best.bins.expand(-1, 8, -1))
    assert torch.equal(cold.keep_mask, best.keep_mask.expand(-1, 8, -1))


def test_the_log_probability_of_a_response_by_hand():
    edges = torch.zeros(1, 4, 4)
    edges[0, 0] = torch.tensor([0.5, 0.25, 0.125, 0.125]).log()
    output = output_of(edges, torch.tensor([[0.75, 0.25]]).log())
    rollouts = Rollouts(
        torch.tensor([[FINDING, NONE]]),
        torch.tensor([[[1, 0, 2, 3], [0, 0, 0, 0]]]),
        torch.tensor([[[True] * 5, [True, False, False, False, False]]]),
    )
    expected = [[0.25, 0.25, 0.25, 0.25, 0.25], [0.75, 1.0, 1.0, 1.0, 1.0]]
    found = token_log_prob(output, rollouts)
    torch.testing.assert_close(found, torch.tensor([expected]).log())
    assert found[0, 0].sum().item() == pytest.approx(5 * math.log(0.25))


def test_probabilities_of_all_responses_sum_to_one():
    output = random_output(batch_size=1, bins=2)
    places = torch.cartesian_prod(*[torch.arange(2)] * 4)
    bins = torch.cat([torch.zeros(1, 4, dtype=torch.long), places])[None]
    classes = torch.tensor([[NONE] + [FINDING] * 16])
    keep = torch.ones(1, 17, 5, dtype=torch.bool)
    keep[0, 0, 1:] = False
    total = token_log_prob(output, Rollouts(classes, bins, keep)).sum(-1).exp().sum()
    assert total.item() == pytest.approx(1.0, abs=1e-5)


def test_entropy_stands_at_the_kept_tokens():
    output = output_of(torch.zeros(2, 4, 8), torch.zeros(2, 2))
    rollouts = draw(output, 6)
    found = response_entropy(output, rollouts)
    torch.testing.assert_close(found[..., 0], torch.full((2, 6), math.log(2)))
    expected = math.log(8) * rollouts.has_box.float()[..., None].expand(-1, -1, 4)
    torch.testing.assert_close(found[..., 1:], expected)


def test_boxes_by_hand():
    bins = torch.tensor([[[0, 1, 1, 3], [2, 2, 2, 2], [3, 0, 1, 3], [0, 0, 0, 0]]])
    keep = torch.ones(1, 4, 5, dtype=torch.bool)
    keep[0, 3, 1:] = False
    rollouts = Rollouts(torch.tensor([[1, 1, 1, 0]]), bins, keep)
    expected = [
        [0.125, 0.375, 0.375, 0.875],
        [7 / 12, 7 / 12, 2 / 3, 2 / 3],
        [0.875, 0.125, 0.375, 0.875],
        [torch.nan] * 4,
    ]
    found = response_boxes(rollouts, 4)
    torch.testing.assert_close(found, torch.tensor([expected]), equal_nan=True)


@pytest.mark.parametrize("told", [[0, 1, 3, 2], [2, 0, 2, 3], [1, 1, 1, 1]])
def test_a_sampled_box_is_the_one_that_its_tokens_are_read_as(told):
    keep = torch.ones(1, 1, 5, dtype=torch.bool)
    rollouts = Rollouts(torch.tensor([[FINDING]]), torch.tensor([[told]]), keep)
    read = bins_box(told, 4)
    torch.testing.assert_close(response_boxes(rollouts, 4)[0, 0], torch.tensor(read.as_tuple()))


def test_what_is_sampled_and_kept_carries_no_gradient():
    edges, attention = (
        torch.zeros(1, 4, 4, requires_grad=True),
        torch.ones(1, 4, requires_grad=True),
    )
    output = output_of(edges, torch.zeros(1, 2, requires_grad=True), attention=attention)
    detached = output.detached()
    assert not detached.edge_logits.requires_grad
    assert not detached.class_logits.requires_grad
    assert not detached.attention.requires_grad
    assert output.tempered(0.5).attention is attention
    token_log_prob(output, draw(output, 4)).sum().backward()
    assert edges.grad is not None
