"""Candidates to one answer: hand values, invariances, edges and error texts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jomed_app.inference.conclusion.aggregate import (
    candidate_log_weights,
    candidate_predictions,
    consistency_states,
    guided_log_prob,
    head_log_weights,
    leave_one_out,
    marginalize,
    prediction_counts,
)
from jomed_app.types import ConsistencyState

LABELS = ("normal", "benign", "malignant")


@st.composite
def weights_and_answers(draw: st.DrawFn, min_candidates: int = 1):
    num_candidates = draw(st.integers(min_candidates, 6))
    num_answers = draw(st.integers(2, 5))
    values = st.floats(-50, 50)
    return (
        draw(arrays(np.float64, num_candidates, elements=values)),
        draw(arrays(np.float64, (num_candidates, num_answers), elements=values)),
    )


def test_single_head_weights_by_hand() -> None:
    log_weights = candidate_log_weights([np.log(3.0), 0.0])
    np.testing.assert_allclose(np.exp(log_weights), [0.75, 0.25])
    sharper = candidate_log_weights([np.log(3.0), 0.0], temperature=0.5)
    np.testing.assert_allclose(np.exp(sharper), [0.9, 0.1])


def test_marginal_by_hand() -> None:
    marginal = marginalize(np.log([0.75, 0.25]), np.log([[0.8, 0.2], [0.4, 0.6]]))
    np.testing.assert_allclose(np.exp(marginal), [0.7, 0.3])


def test_tiny_likelihoods_do_not_underflow() -> None:
    answers = np.array([[-1000.0, -1000.0 + np.log(3)], [-2000.0 + np.log(3), -2000.0]])
    marginal = marginalize([0.0, 0.0], answers)
    np.testing.assert_allclose(np.exp(marginal), [0.5, 0.5])
    weights = candidate_log_weights([0.0, -1e4], temperature=1.0)
    np.testing.assert_allclose(np.exp(marginalize(weights, answers)), [0.25, 0.75])


def test_batches_equal_single_queries() -> None:
    rng = np.random.default_rng(1)
    log_weights, answers = rng.normal(size=(5, 4)), rng.normal(size=(5, 4, 3))
    batched = marginalize(log_weights, answers)
    without = leave_one_out(log_weights, answers)
    assert batched.shape == (5, 3)
    for row in range(5):
        np.testing.assert_allclose(batched[row], marginalize(log_weights[row], answers[row]))
        np.testing.assert_allclose(without[row], leave_one_out(log_weights[row], answers[row]))


def test_left_out_candidate_contributes_nothing() -> None:
    answers = np.log([[0.8, 0.2], [0.4, 0.6]])
    padded = np.vstack([answers, [[-np.inf, -np.inf]]])
    np.testing.assert_allclose(
        marginalize([0.0, 0.0, -np.inf], padded), marginalize([0.0, 0.0], answers)
    )


def test_answer_that_all_candidates_exclude_stays_excluded() -> None:
    marginal = marginalize([0.0, 0.0], [[0.0, -np.inf], [0.0, -np.inf]])
    np.testing.assert_array_equal(marginal, [0.0, -np.inf])


def test_single_candidate_is_the_answer() -> None:
    answers = np.log([[0.7, 0.3]])
    np.testing.assert_allclose(marginalize([3.0], answers), answers[0])


@given(weights_and_answers())
@settings(max_examples=60, deadline=None)
def test_marginal_is_a_mixture(case) -> None:
    log_weights, answers = case
    marginal = np.exp(marginalize(log_weights, answers))
    rows = np.exp(answers - np.logaddexp.reduce(answers, axis=-1, keepdims=True))
    assert marginal.sum() == pytest.approx(1)
    assert (marginal <= rows.max(axis=0) + 1e-9).all()
    assert (marginal >= rows.min(axis=0) - 1e-9).all()


@given(weights_and_answers(), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_marginal_ignores_order_and_shifts(case, random) -> None:
    log_weights, answers = case
    order = list(range(len(log_weights)))
    random.shuffle(order)
    shifts = np.arange(len(log_weights))[:, None] * 7.0
    np.testing.assert_allclose(
        marginalize(log_weights[order] + 3.0, (answers + shifts)[order]),
        marginalize(log_weights, answers),
        atol=1e-9,
    )


@given(weights_and_answers(min_candidates=2))
@settings(max_examples=40, deadline=None)
def test_leave_one_out_equals_dropping_the_row(case) -> None:
    log_weights, answers = case
    without = leave_one_out(log_weights, answers)
    for index in range(len(log_weights)):
        expected = marginalize(np.delete(log_weights, index), np.delete(answers, index, axis=0))
        np.testing.assert_allclose(without[index], expected, atol=1e-9)


@given(st.integers(2, 6), arrays(np.float64, 3, elements=st.floats(-20, 20)))
@settings(max_examples=30, deadline=None)
def test_equal_candidates_change_nothing_when_one_leaves(num_candidates, row) -> None:
    answers = np.tile(row, (num_candidates, 1))
    log_weights = np.arange(num_candidates, dtype=float)
    marginal = marginalize(log_weights, answers)
    np.testing.assert_allclose(
        leave_one_out(log_weights, answers), np.tile(marginal, (num_candidates, 1)), atol=1e-9
    )


def test_guidance_by_hand() -> None:
    answers, plain = np.log([[0.6, 0.4]]), np.log([0.5, 0.5])
    np.testing.assert_allclose(np.exp(guided_log_prob(answers, plain, 1.0)), [[9 / 13, 4 / 13]])
    np.testing.assert_allclose(guided_log_prob(answers, plain, 0.0), answers)


def test_guidance_leaves_a_candidate_without_influence_alone() -> None:
    plain = np.log([0.2, 0.3, 0.5])
    np.testing.assert_allclose(guided_log_prob(plain[None], plain, 3.0)[0], plain)


@pytest.mark.parametrize(
    ("rows", "query_only", "state"),
    [
        ([[0.1, 0.9], [0.2, 0.8]], 1, ConsistencyState.CONSISTENT),
        ([[0.1, 0.9], [0.2, 0.8]], None, ConsistencyState.CONSISTENT),
        ([[0.1, 0.9], [0.2, 0.8]], 0, ConsistencyState.MIXED),
        ([[0.1, 0.9], [0.45, 0.55]], 1, ConsistencyState.MIXED),
        ([[0.1, 0.9], [0.51, 0.49]], 1, ConsistencyState.DISAGREE),
        ([[0.1, 0.9]], 1, ConsistencyState.CONSISTENT),
    ],
)
def test_consistency_states(rows, query_only, state) -> None:
    assert consistency_states(np.log(rows), query_only=query_only).item() is state


def test_states_of_many_cases_are_those_of_each() -> None:
    rows = np.log([[[0.1, 0.9], [0.2, 0.8]], [[0.1, 0.9], [0.45, 0.55]], [[0.1, 0.9], [0.9, 0.1]]])
    alone = np.array([1, 1, 0])
    together = consistency_states(rows, query_only=alone)
    apart = [
        consistency_states(row, query_only=each).item()
        for row, each in zip(rows, alone, strict=True)
    ]
    assert together.tolist() == apart
    assert apart == [
        ConsistencyState.CONSISTENT, ConsistencyState.MIXED, ConsistencyState.DISAGREE,
    ]  # fmt: skip


def test_a_candidate_that_does_not_count_changes_no_state() -> None:
    rows = np.log([[0.1, 0.9], [0.2, 0.8], [0.9, 0.1]])
    assert consistency_states(rows).item() is ConsistencyState.DISAGREE
    counted = consistency_states(rows, counts=[True, True, False]).item()
    assert counted is consistency_states(rows[:2]).item() is ConsistencyState.CONSISTENT


def test_counts_follow_label_order() -> None:
    answers = np.log([[0.2, 0.3, 0.5], [0.2, 0.5, 0.3], [0.1, 0.1, 0.8]])
    assert prediction_counts(answers, LABELS) == {"benign": 1, "malignant": 2}
    assert list(prediction_counts(answers, LABELS)) == ["benign", "malignant"]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: candidate_log_weights([]), r"one candidate or more, found shape \(0,\)"),
        (lambda: candidate_log_weights([1.0], temperature=0), "temperature must be > 0"),
        (lambda: candidate_log_weights([np.nan]), "no NaN"),
        (lambda: candidate_log_weights([-np.inf]), "one candidate above -inf"),
        (lambda: marginalize([], np.zeros((0, 2))), "answer from the query alone"),
        (lambda: marginalize([0.0], np.zeros((1, 0))), "one answer or more"),
        (lambda: marginalize([0.0], np.zeros((2, 2))), r"found \(2, 2\) and \(1,\)"),
        (lambda: marginalize([0.0], [[-np.inf, -np.inf]]), "one answer above -inf"),
        (lambda: marginalize([0.0], [[np.inf, 0.0]]), "no \\+inf"),
        (lambda: leave_one_out([0.0], [[0.0, 0.0]]), "two candidates with weight"),
        (lambda: guided_log_prob([[0.0, 0.0]], [0.0, 0.0], -1), "strength must be >= 0"),
        (lambda: guided_log_prob([[0.0, 0.0]], [0.0], 1), "no_retrieval_log_prob must be"),
        (lambda: guided_log_prob([[0.0, 0.0]], [0.0, -np.inf], 1), "must be finite"),
        (lambda: consistency_states(np.zeros((0, 2))), "one candidate or more"),
        (lambda: consistency_states([[0.0, 0.0]], max_spread=2), r"lie in \[0, 1\]"),
        (lambda: candidate_predictions([0.0, 1.0]), "one candidate or more"),
        (lambda: prediction_counts([[0.0, 1.0]], LABELS), "name all 2 answers"),
    ],
)
def test_errors_say_what_was_required(call, text) -> None:
    with pytest.raises(ValueError, match=text):
        call()


def test_a_search_is_trusted_as_its_offset_says():
    log_weights = head_log_weights([1.0, 1.0, 1.0], [False, True, False], 0.2, -np.log(2))
    np.testing.assert_allclose(np.exp(log_weights), [0.4, 0.2, 0.4])


def test_without_an_offset_the_searches_are_equal():
    scores = [1.0, 0.7, 0.9]
    np.testing.assert_allclose(
        head_log_weights(scores, [True, False, True], 0.5, 0.0), candidate_log_weights(scores, 0.5)
    )


@given(weights_and_answers(), st.floats(0.05, 5))
@settings(max_examples=40, deadline=None)
def test_weights_sum_to_one_and_ties_give_the_mean(case, temperature):
    scores, answers = case
    assert np.exp(candidate_log_weights(scores, temperature)).sum() == pytest.approx(1)
    is_text = np.arange(len(scores)) % 2 == 0
    assert np.exp(head_log_weights(scores, is_text, temperature, -1.0)).sum() == pytest.approx(1)
    tied = candidate_log_weights(np.full(len(scores), scores[0]), temperature)
    rows = np.exp(answers - np.logaddexp.reduce(answers, axis=-1, keepdims=True))
    np.testing.assert_allclose(np.exp(marginalize(tied, answers)), rows.mean(axis=0), atol=1e-9)
