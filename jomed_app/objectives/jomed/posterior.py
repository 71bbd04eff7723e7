"""JOMED, phase 2: the frozen reader's answers say which candidates a retriever should rank first.

Source: arXiv:2508.17394: KL(p(candidate | query, answer) || p(candidate | query)); its lineage is
perplexity distillation of Atlas, arXiv:2208.03299. The posterior is a constant teacher; gradients
reach the retriever's scores alone.
Ours: the answer's true log-likelihood (teacher forcing) instead of a cross-entropy of softmaxed
logits, and a KL that is summed over candidates, then averaged over queries. What the authors'
release computes is kept beside it (`released_log_posterior`).

Letters in docstrings: B queries, K candidates, C answers (labels).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

LEFT_OUT = -math.inf


def retriever_log_prob(scores: Tensor, temperature: float, keep_mask: Tensor) -> Tensor:
    """Log p(candidate | query): log-softmax of scores / temperature over the kept candidates.

    Args:
        scores: (B, K) inner products, higher is better.
        temperature: > 0.
        keep_mask: (B, K) True where a candidate counts; one in every row at least.

    Returns:
        (B, K) nats, each row normalized; -inf where a candidate is left out.

    Raises:
        ValueError: if temperature <= 0, shapes differ or a row keeps nothing.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be > 0, found {temperature}")
    if scores.shape != keep_mask.shape or not keep_mask.any(-1).all():
        raise ValueError(
            f"every query must keep a candidate, in a mask of shape {tuple(scores.shape)}; "
            f"found {tuple(keep_mask.shape)}"
        )
    return functional.log_softmax((scores / temperature).masked_fill(~keep_mask, LEFT_OUT), dim=-1)


def candidate_log_posterior(
    answer_log_likelihood: Tensor, log_prior: Tensor, temperature: float
) -> Tensor:
    """Log p(candidate | query, answer), proportional to p(answer | candidate, query) times a prior.

    Source: arXiv:2508.17394; the prior is the retriever's own distribution or uniform, the caller
    passes which.

    Args:
        answer_log_likelihood: (B, K) log p(answer | query, candidate), nats.
        log_prior: (B, K) nats, normalized; -inf leaves a candidate out.
        temperature: divides the sum, > 0; small values point at the most useful candidate.

    Returns:
        (B, K) nats, normalized, without a gradient.

    Raises:
        ValueError: if temperature <= 0 or the shapes differ.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be > 0, found {temperature}")
    if answer_log_likelihood.shape != log_prior.shape:
        raise ValueError(
            "likelihood and prior must have one shape, found "
            f"{tuple(answer_log_likelihood.shape)} and {tuple(log_prior.shape)}"
        )
    joint = (answer_log_likelihood + log_prior).detach() / temperature
    return functional.log_softmax(joint, dim=-1)


def uniform_log_prior(keep_mask: Tensor) -> Tensor:
    """The same probability for every kept candidate, (B, K) nats."""
    return functional.log_softmax(
        torch.zeros(keep_mask.shape, device=keep_mask.device).masked_fill(~keep_mask, LEFT_OUT), -1
    )


def released_log_posterior(answer_log_prob: Tensor, answers: Tensor, log_prior: Tensor) -> Tensor:
    """The target of the authors' release, kept to compare with.

    Source: authors' code of arXiv:2508.17394. There a cross-entropy takes probabilities for logits
    (a softmax of a softmax), so that a right and a wrong candidate are at most one nat apart, and
    the temperature is 1.

    Args:
        answer_log_prob: (B, K, C) log p(answer | query, candidate), normalized over answers.
        answers: (B,) true answer of each query.
        log_prior: (B, K) nats, normalized; -inf leaves a candidate out.

    Returns:
        (B, K) nats, normalized, without a gradient.
    """
    twice = functional.log_softmax(answer_log_prob.exp(), dim=-1)
    gold = twice.gather(-1, answers[:, None, None].expand(-1, twice.shape[1], 1))[..., 0]
    gold = functional.log_softmax(gold.masked_fill(log_prior == LEFT_OUT, LEFT_OUT), dim=-1)
    return candidate_log_posterior(gold, log_prior, 1.0)


def retriever_kl_loss(log_prob: Tensor, log_posterior: Tensor) -> Tensor:
    """KL(posterior || retriever), summed over candidates, averaged over queries.

    Source: arXiv:2508.17394. Ours: the authors' code averages over candidates too and multiplies
    by 1000.

    Args:
        log_prob: (B, K) `retriever_log_prob`.
        log_posterior: (B, K) nats, normalized; gradients are stopped here.

    Returns:
        Scalar, nats per query, >= 0.

    Raises:
        ValueError: if the shapes differ or K < 2.
    """
    if log_prob.shape != log_posterior.shape or log_prob.shape[-1] < 2:
        raise ValueError(
            "retriever and posterior must be (B, K) with K >= 2, found "
            f"{tuple(log_prob.shape)} and {tuple(log_posterior.shape)}"
        )
    teacher = log_posterior.detach()
    kept = teacher > LEFT_OUT
    difference = teacher.masked_fill(~kept, 0.0) - log_prob.masked_fill(~kept, 0.0)
    return (teacher.exp() * difference).sum(-1).mean()
