"""How rewards become one number: normalized per query, weighed, added."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from jomed_app.config.localizer import RewardTuningConfig
from jomed_app.objectives.umed.reward_mix import (
    combine_rewards,
    normalize_rewards,
    proper_relevance,
)
from jomed_app.objectives.umed.rewards import REWARDS


def test_normalization_by_hand():
    rewards = torch.tensor([[0.2, 0.4], [0.01, 0.02], [0.0, 0.0], [-0.5, 0.05]])
    expected = torch.tensor([[0.5, 1.0], [0.1, 0.2], [0.0, 0.0], [-1.0, 0.5]])
    torch.testing.assert_close(normalize_rewards(rewards), expected)


def test_one_response_alone_is_finite():
    found = normalize_rewards(torch.tensor([[0.5], [0.0], [-1.0]]))
    assert found.tolist() == [[1.0], [0.0], [-1.0]]


@given(st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=6))
def test_normalization_keeps_range_and_order(values):
    rewards = torch.tensor([values])
    found = normalize_rewards(rewards)
    assert found.abs().max() <= 1 + 1e-6
    order = rewards.argsort(dim=-1)
    assert (found.gather(-1, order).diff(dim=-1) >= 0).all()


def test_the_least_divisor_must_be_positive():
    with pytest.raises(ValueError, match="must be above zero, found 0"):
        normalize_rewards(torch.zeros(1, 2), 0.0)


EVEN = {"relevance": 1.0, "localization": 1.0, "vision": 1.0}


def test_rewards_add_up_by_hand():
    earned = {"relevance": torch.tensor([[1.0, 0.0]]), "localization": torch.tensor([[0.8, 0.4]])}
    seen = earned | {"vision": torch.tensor([[0.1, 0.2]])}
    torch.testing.assert_close(combine_rewards(earned, EVEN), torch.tensor([[2.0, 0.5]]))
    torch.testing.assert_close(combine_rewards(seen, EVEN), torch.tensor([[2.5, 1.5]]))
    weights = {"relevance": 0.0, "localization": 2.0, "vision": 10.0}
    torch.testing.assert_close(combine_rewards(seen, weights), torch.tensor([[7.0, 11.0]]))


def test_no_gradient_flows_through_a_reward():
    vision = torch.rand(1, 2, requires_grad=True)
    assert not combine_rewards({"vision": vision}, EVEN).requires_grad


def test_every_reward_has_a_weight():
    assert set(RewardTuningConfig().weights) == set(REWARDS)
    changed = RewardTuningConfig(relevance_weight=2.0, localization_weight=3.0, vision_weight=4.0)
    expected = {"relevance": 2.0, "localization": 3.0, "vision": 4.0}
    assert changed.weights.items() >= expected.items()


@pytest.mark.parametrize("true_prob", [0.1, 0.5, 0.8])
def test_a_policy_paid_properly_rests_at_the_true_probability(true_prob):
    """The expected gradient of a policy over two classes vanishes at the truth alone."""
    for said, direction in ((true_prob, 0), (true_prob - 0.05, 1), (true_prob + 0.05, -1)):
        logit = torch.tensor(said).logit().requires_grad_()
        prob = torch.stack([logit.sigmoid(), (-logit).sigmoid()])
        match = torch.tensor([[true_prob, 1 - true_prob]])
        paid = proper_relevance(match, prob.detach()[None])[0]
        (prob * paid).sum().backward()
        slope = logit.grad.item()
        assert (slope > 1e-6) - (slope < -1e-6) == direction
