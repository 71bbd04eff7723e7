"""Policy optimization: hand values, signs of gradients, what the clip stops, error texts."""

from __future__ import annotations

import math
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from jomed_app.objectives.umed.ppo import (
    clipped_surrogate,
    generalized_advantages,
    group_relative_advantages,
    kl_to_reference,
    masked_mean,
    terminal_advantages,
    token_entropy,
    value_loss,
    whiten,
)

ALL = torch.ones(2, 3, dtype=torch.bool)


def draws(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# --- surrogate


def test_at_the_old_policy_it_is_the_mean_advantage():
    log_prob, advantages = -draws(0, 2, 3).abs(), torch.tensor([2.0, -0.5])
    found = clipped_surrogate(log_prob, log_prob, advantages, ALL)
    torch.testing.assert_close(found.value, advantages.mean())
    assert found.clip_fraction == 0
    keep = torch.tensor([[True, False, False], [True, True, True]])
    short = clipped_surrogate(log_prob, log_prob, advantages, keep)
    torch.testing.assert_close(short.value, torch.tensor((2.0 - 3 * 0.5) / 4))


@pytest.mark.parametrize(
    ("ratio", "advantage", "expected", "moves"),
    [
        (1.1, 1.0, 1.1, True),
        (1.5, 1.0, 1.2, False),
        (0.5, 1.0, 0.5, True),
        (0.5, -1.0, -0.8, False),
        (1.5, -1.0, -1.5, True),
    ],
)
def test_clipping_by_hand_and_where_it_stops_the_gradient(ratio, advantage, expected, moves):
    log_prob = torch.tensor([[math.log(ratio)]], requires_grad=True)
    found = clipped_surrogate(
        log_prob, torch.zeros(1, 1), torch.tensor([advantage]), ALL[:1, :1], clip=0.2
    )
    assert found.value.item() == pytest.approx(expected)
    assert found.clip_fraction.item() == float(not moves)
    found.value.backward()
    assert log_prob.grad.item() == pytest.approx(ratio * advantage if moves else 0.0)


def test_better_responses_become_more_probable():
    log_prob = torch.full((2, 3), -1.0, requires_grad=True)
    old = torch.full((2, 3), -1.0, requires_grad=True)
    advantages = torch.tensor([1.0, -1.0], requires_grad=True)
    clipped_surrogate(log_prob, old, advantages, ALL).value.backward()
    assert (log_prob.grad[0] > 0).all()
    assert (log_prob.grad[1] < 0).all()
    assert old.grad is None
    assert advantages.grad is None


def test_the_gradient_at_ratio_1_is_that_of_reinforce():
    logits = draws(1, 2, 3, 4).double().requires_grad_()
    tokens, advantages = torch.tensor([[0, 1, 2], [3, 0, 1]]), torch.tensor([1.5, -0.25]).double()
    log_prob = logits.log_softmax(-1).gather(-1, tokens[..., None])[..., 0]
    value = clipped_surrogate(log_prob, log_prob, advantages, ALL).value
    (found,) = torch.autograd.grad(value, logits, retain_graph=True)
    (expected,) = torch.autograd.grad((log_prob * advantages[:, None]).mean(), logits)
    torch.testing.assert_close(found, expected)


def test_padding_never_counts():
    log_prob, old = -draws(0, 2, 3).abs(), -draws(1, 2, 3).abs()
    keep = torch.tensor([[True, True, False], [True, False, False]])
    advantages = draws(2, 2, 3)
    found = clipped_surrogate(log_prob, old, advantages, keep)
    dirty = [each.masked_fill(~keep, -torch.inf) for each in (log_prob, old)]
    again = clipped_surrogate(*dirty, advantages, keep)
    torch.testing.assert_close(again.value, found.value)
    nothing = clipped_surrogate(log_prob, old, advantages, torch.zeros_like(keep))
    assert nothing.value == 0


def test_shapes_must_fit():
    with pytest.raises(ValueError, match=re.escape("must fit (N, R), found [(2, 3), (2, 2)")):
        clipped_surrogate(torch.zeros(2, 3), torch.zeros(2, 2), torch.zeros(2), ALL)


def test_masked_mean_by_hand():
    values = torch.tensor([1.0, torch.inf, 3.0])
    assert masked_mean(values, torch.tensor([True, False, True])) == 2
    assert masked_mean(values, torch.zeros(3, dtype=torch.bool)) == 0


# --- value


def test_value_loss_by_hand():
    values, returns = torch.tensor([1.0, 3.0]), torch.tensor([0.0, 3.0])
    assert value_loss(values, returns) == 0.25
    # The first is clipped to 2 + 0.5 on its way down: (2.5)^2; the plain error would be 1.
    old = torch.tensor([3.0, 3.0])
    assert value_loss(values, returns, old, clip=0.5) == pytest.approx(0.5 * 2.5**2 / 2)


def test_values_move_towards_returns_and_stop_at_the_clip():
    values = torch.tensor([0.0, 2.0], requires_grad=True)
    value_loss(values, torch.tensor([1.0, 1.0])).backward()
    assert values.grad.tolist() == [-0.5, 0.5]
    far = torch.tensor([2.0], requires_grad=True)
    value_loss(far, torch.tensor([3.0]), torch.tensor([0.0]), clip=0.5).backward()
    assert far.grad.item() == 0.0


def test_clipped_values_need_old_ones():
    with pytest.raises(ValueError, match="requires old_values, found none"):
        value_loss(torch.zeros(1), torch.zeros(1), clip=0.2)


# --- entropy and KL


def test_entropy_by_hand():
    logits = torch.tensor([[0.0, 0.0], [0.0, -torch.inf], [math.log(3.0), 0.0]])
    mixed = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    torch.testing.assert_close(token_entropy(logits), torch.tensor([math.log(2), 0.0, mixed]))
    torch.testing.assert_close(token_entropy(logits + 5), token_entropy(logits))


def test_more_entropy_flattens():
    logits = torch.tensor([1.0, 0.0], requires_grad=True)
    token_entropy(logits).backward()
    assert logits.grad[0] < 0 < logits.grad[1]


def test_kl_estimators_by_hand():
    log_prob, reference = torch.tensor([math.log(0.5)]), torch.tensor([math.log(0.25)])
    assert kl_to_reference(log_prob, reference, "k1").item() == pytest.approx(math.log(2))
    assert kl_to_reference(log_prob, reference).item() == pytest.approx(0.5 - 1 + math.log(2))


@given(st.floats(-20, 0), st.floats(-20, 0))
def test_k3_is_never_negative(log_prob, reference):
    first, second = torch.tensor(log_prob), torch.tensor(reference)
    assert kl_to_reference(first, second) >= 0
    assert kl_to_reference(first, first) == 0


@pytest.mark.parametrize("estimator", ["k1", "k3"])
def test_both_are_unbiased(estimator):
    policy, reference = draws(0, 6).double().log_softmax(-1), draws(1, 6).double().log_softmax(-1)
    exact = (policy.exp() * (policy - reference)).sum()
    found = (policy.exp() * kl_to_reference(policy, reference, estimator)).sum()
    torch.testing.assert_close(found, exact)


def test_kl_pulls_towards_the_reference():
    log_prob = torch.tensor([-1.0, -3.0], requires_grad=True)
    reference = torch.tensor([-2.0, -2.0], requires_grad=True)
    kl_to_reference(log_prob, reference).sum().backward()
    assert log_prob.grad[0] > 0 > log_prob.grad[1]
    assert reference.grad is None


def test_there_are_two_estimators():
    with pytest.raises(ValueError, match="must be 'k1' or 'k3', found 'k2'"):
        kl_to_reference(torch.zeros(1), torch.zeros(1), "k2")


# --- advantages


def test_generalized_advantages_by_hand():
    rewards, values = torch.tensor([[0.0, 0.0, 1.0]]), torch.tensor([[0.5, 0.4, 0.2]])
    keep = torch.ones(1, 3, dtype=torch.bool)
    last, middle = 1 - 0.2, 0.9 * 0.2 - 0.4
    first = 0.9 * 0.4 - 0.5
    expected = [first + 0.45 * (middle + 0.45 * last), middle + 0.45 * last, last]
    found, returns = generalized_advantages(rewards, values, keep, discount=0.9, decay=0.5)
    torch.testing.assert_close(found, torch.tensor([expected]))
    torch.testing.assert_close(returns, found + values)


def test_a_short_response_is_not_touched_by_its_padding():
    keep = torch.tensor([[True, True, False]])
    rewards, values = torch.tensor([[0.0, 1.0, 9.0]]), torch.tensor([[0.5, 0.4, 9.0]])
    found, returns = generalized_advantages(rewards, values, keep)
    alone, _ = generalized_advantages(rewards[:, :2], values[:, :2], keep[:, :2])
    torch.testing.assert_close(found, torch.cat([alone, torch.zeros(1, 1)], dim=-1))
    assert returns[0, 2] == 0


def test_without_decay_every_token_sees_the_whole_return():
    rewards, values = torch.tensor([[0.0, 0.0, 1.0]]), draws(0, 1, 3)
    found, returns = generalized_advantages(rewards, values, ALL[:1], decay=1.0)
    torch.testing.assert_close(returns, torch.ones(1, 3))
    torch.testing.assert_close(found, terminal_advantages(torch.ones(1, 3), values))


def test_responses_that_take_no_part_neither_count_nor_are_credited():
    rewards = torch.tensor([[1.0, 3.0, 100.0], [5.0, 5.0, 5.0]])
    keep = torch.tensor([[True, True, False], [False, False, False]])
    found = group_relative_advantages(rewards, keep_mask=keep)
    torch.testing.assert_close(found, torch.tensor([[-1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]))
    everyone = torch.ones_like(keep)
    torch.testing.assert_close(
        group_relative_advantages(rewards, keep_mask=everyone), group_relative_advantages(rewards)
    )


def test_group_relative_advantages_by_hand():
    rewards = torch.tensor([[1.0, 3.0], [2.0, 2.0], [0.3, 0.3]])
    expected = torch.tensor([[-1.0, 1.0], [0.0, 0.0], [0.0, 0.0]])
    torch.testing.assert_close(group_relative_advantages(rewards), expected)
    plain = group_relative_advantages(10 * rewards, scale=False)
    torch.testing.assert_close(plain, 10 * expected)


@pytest.mark.parametrize("scale", [True, False])
def test_equal_rewards_and_a_single_response_teach_nothing(scale):
    equal = torch.full((3, 8), 0.3)
    torch.testing.assert_close(group_relative_advantages(equal, scale=scale), torch.zeros(3, 8))
    assert group_relative_advantages(draws(0, 4, 1), scale=scale).tolist() == [[0.0]] * 4


def test_a_constant_added_to_a_querys_rewards_changes_nothing():
    rewards = draws(0, 5, 8)
    shifted = rewards + draws(1, 5, 1)
    torch.testing.assert_close(
        group_relative_advantages(shifted), group_relative_advantages(rewards), atol=1e-4, rtol=1e-4
    )


def test_advantages_carry_no_gradient():
    rewards = torch.rand(2, 3, requires_grad=True)
    assert not group_relative_advantages(rewards).requires_grad
    assert not terminal_advantages(rewards, rewards).requires_grad
    assert not generalized_advantages(rewards, rewards, ALL)[0].requires_grad


def test_whitening_is_over_the_whole_batch():
    found = whiten(draws(0, 4, 6) * 3 + 2)
    assert found.mean().item() == pytest.approx(0.0, abs=1e-6)
    assert found.square().mean().item() == pytest.approx(1.0, abs=1e-5)
    assert not whiten(torch.ones(2, 2)).any()
