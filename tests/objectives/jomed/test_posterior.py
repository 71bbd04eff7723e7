from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from jomed_app.objectives.jomed.posterior import (
    candidate_log_posterior,
    released_log_posterior,
    retriever_kl_loss,
    retriever_log_prob,
    uniform_log_prior,
)

ALL = torch.ones(1, 2, dtype=torch.bool)


def test_the_posterior_weighs_candidates_by_how_well_they_answer():
    likelihood = torch.tensor([[0.8, 0.2]]).log()
    posterior = candidate_log_posterior(likelihood, uniform_log_prior(ALL), 1.0)
    torch.testing.assert_close(posterior.exp(), torch.tensor([[0.8, 0.2]]))
    sharper = candidate_log_posterior(likelihood, uniform_log_prior(ALL), 0.5)
    torch.testing.assert_close(sharper.exp(), torch.tensor([[16 / 17, 1 / 17]]))


def test_the_retrievers_prior_is_multiplied_in():
    likelihood = torch.tensor([[0.5, 0.5]]).log()
    prior = torch.tensor([[0.9, 0.1]]).log()
    posterior = candidate_log_posterior(likelihood, prior, 1.0)
    torch.testing.assert_close(posterior, prior)


def test_a_right_and_a_wrong_candidate_differ_by_the_true_log_likelihood_ratio():
    """The authors' double softmax caps this gap at one nat; ours is the difference itself."""
    log_prob = torch.tensor([[[0.99, 0.01], [0.01, 0.99]]]).log()
    answers, prior = torch.tensor([0]), uniform_log_prior(ALL)
    ours = candidate_log_posterior(log_prob[..., 0], prior, 1.0)
    assert float(ours[0, 0] - ours[0, 1]) == pytest.approx(math.log(99), rel=1e-5)
    released = released_log_posterior(log_prob, answers, prior)
    assert float(released[0, 0] - released[0, 1]) == pytest.approx(0.98, abs=1e-3)


@given(st.integers(2, 9), st.integers(0, 10_000))
def test_the_released_targets_gap_never_exceeds_one_nat(num_answers, seed):
    generator = torch.Generator().manual_seed(seed)
    log_prob = (4 * torch.randn(3, 5, num_answers, generator=generator)).log_softmax(-1)
    keep = torch.ones(3, 5, dtype=torch.bool)
    target = released_log_posterior(log_prob, torch.zeros(3).long(), uniform_log_prior(keep))
    assert float((target.max(-1).values - target.min(-1).values).max()) <= 1 + 1e-5


def test_kl_is_zero_where_the_retriever_agrees_and_has_its_hand_value_elsewhere():
    teacher = torch.tensor([[0.75, 0.25]]).log()
    assert float(retriever_kl_loss(teacher, teacher)) == pytest.approx(0.0, abs=1e-7)
    flat = torch.tensor([[0.5, 0.5]]).log()
    expected = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert float(retriever_kl_loss(flat, teacher)) == pytest.approx(expected, rel=1e-5)


def test_kl_sums_over_candidates_and_averages_over_queries():
    teacher = torch.tensor([[0.75, 0.25], [0.5, 0.5]]).log()
    flat = torch.full((2, 2), 0.5).log()
    alone = retriever_kl_loss(flat[:1], teacher[:1])
    torch.testing.assert_close(retriever_kl_loss(flat, teacher), alone / 2)


def test_the_gradient_raises_the_candidate_that_answers_better_than_the_mean():
    scores = torch.zeros(1, 3, requires_grad=True)
    keep = torch.ones(1, 3, dtype=torch.bool)
    likelihood = torch.tensor([[0.9, 0.3, 0.3]]).log().requires_grad_()
    target = candidate_log_posterior(likelihood, uniform_log_prior(keep), 1.0)
    retriever_kl_loss(retriever_log_prob(scores, 0.5, keep), target).backward()
    assert scores.grad is not None
    assert likelihood.grad is None
    assert scores.grad[0, 0] < 0 < scores.grad[0, 1]
    torch.testing.assert_close(scores.grad.sum(), torch.tensor(0.0), atol=1e-6, rtol=0)


def test_kl_passes_gradcheck():
    keep = torch.ones(2, 3, dtype=torch.bool)
    teacher = torch.randn(2, 3, dtype=torch.float64).log_softmax(-1)
    scores = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)

    def loss(each):
        return retriever_kl_loss(retriever_log_prob(each, 0.3, keep), teacher)

    assert torch.autograd.gradcheck(loss, scores)


def test_the_order_of_the_candidates_changes_nothing():
    scores, gold = torch.randn(4, 6), torch.randn(4, 6).log_softmax(-1)
    keep = torch.rand(4, 6) < 0.7
    keep[:, 0] = True
    order = torch.randperm(6)

    def value(places):
        said = retriever_log_prob(scores[:, places], 0.2, keep[:, places])
        prior = uniform_log_prior(keep[:, places])
        return retriever_kl_loss(said, candidate_log_posterior(gold[:, places], prior, 0.4))

    torch.testing.assert_close(value(torch.arange(6)), value(order))


def test_a_candidate_that_is_left_out_counts_nothing():
    keep = torch.tensor([[True, True, False]])
    scores = torch.tensor([[0.3, 0.1, 9.0]], requires_grad=True)
    said = retriever_log_prob(scores, 1.0, keep)
    assert said[0, 2] == -math.inf
    posterior = candidate_log_posterior(torch.zeros(1, 3), uniform_log_prior(keep), 1.0)
    loss = retriever_kl_loss(said, posterior)
    loss.backward()
    assert torch.isfinite(loss)
    assert scores.grad is not None
    assert scores.grad[0, 2] == 0


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="temperature must be > 0, found 0"):
        retriever_log_prob(torch.zeros(1, 2), 0.0, ALL)
    with pytest.raises(ValueError, match="temperature must be > 0, found -1"):
        candidate_log_posterior(torch.zeros(1, 2), torch.zeros(1, 2), -1.0)
    with pytest.raises(ValueError, match="every query must keep a candidate"):
        retriever_log_prob(torch.zeros(1, 2), 1.0, ~ALL)
    with pytest.raises(ValueError, match=r"must have one shape, found \(1, 2\) and \(1, 3\)"):
        candidate_log_posterior(torch.zeros(1, 2), torch.zeros(1, 3), 1.0)
    with pytest.raises(ValueError, match=r"must be \(B, K\) with K >= 2"):
        retriever_kl_loss(torch.zeros(1, 1), torch.zeros(1, 1))
