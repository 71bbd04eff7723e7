"""Gradients through a solver: both kinds against each other, saturation, what is refused."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch

from jomed_app.objectives.logra_med.matching import solve_by_swaps, solve_linear
from jomed_app.objectives.logra_med.matching_gradients import (
    BlackBoxMatching,
    hamming_distance,
    matching_cost,
    perceptron_loss,
    permutation_matrix,
)
from tests.objectives.logra_med.test_matching import random_problem


def tensors(problem):
    return (
        torch.tensor(problem.node_cost, requires_grad=True),
        torch.tensor(problem.edge_cost, requires_grad=True),
        torch.from_numpy(problem.source_edges),
        torch.from_numpy(problem.target_edges),
    )


def test_torch_cost_equals_numpy_cost():
    problem = random_problem(3)
    nodes, edges, source, target = tensors(problem)
    for each in permutations(range(5)):
        found = matching_cost(nodes, edges, torch.tensor(each), source, target)
        assert found.item() == pytest.approx(problem.cost(np.array(each)))


@pytest.mark.parametrize("seed", range(8))
def test_perceptron_is_the_finite_difference_where_the_shift_saturates(seed):
    """With a step that makes the shifted solution the identity (methods: B = 8, step 80)."""
    problem = random_problem(seed, 8, edge_scale=0.2)
    step = 80.0
    nodes, edges, source, target = tensors(problem)
    permutation = BlackBoxMatching.apply(nodes, edges, source, target, solve_by_swaps, step)
    identity = torch.eye(8, dtype=torch.float64)
    wrong = permutation * (1 - identity) + (1 - permutation) * identity
    wrong.sum(1).mean().backward()
    nodes_too, edges_too, _, _ = tensors(problem)
    loss, _ = perceptron_loss(nodes_too, edges_too, source, target, solve_by_swaps)
    (loss * 8 / step).backward()
    torch.testing.assert_close(nodes.grad, nodes_too.grad)
    torch.testing.assert_close(edges.grad, edges_too.grad)
    assert nodes.grad.abs().sum() > 0


def test_a_solved_problem_teaches_nothing():
    nodes = torch.tensor(-np.eye(6), requires_grad=True)
    none = torch.zeros(0, 2, dtype=torch.int64)
    loss, assignment = perceptron_loss(nodes, torch.zeros(0, 0), none, none, solve_linear)
    loss.backward()
    assert loss.item() == 0
    assert assignment.tolist() == list(range(6))
    assert nodes.grad.abs().sum() == 0


def test_a_solver_that_misses_the_identity_makes_no_negative_loss():
    none = torch.zeros(0, 2, dtype=torch.int64)
    nodes = torch.tensor(-np.eye(4), requires_grad=True)
    loss, _ = perceptron_loss(
        nodes, torch.zeros(0, 0), none, none, lambda problem: np.array([1, 0, 3, 2])
    )
    assert loss.item() == 0


def test_identity_has_distance_zero_and_random_permutations_average_the_expected_value():
    assert float(hamming_distance(torch.eye(9))) == 0
    generator = torch.Generator().manual_seed(0)
    count = 8
    found = [
        float(hamming_distance(permutation_matrix(torch.randperm(count, generator=generator))))
        for _ in range(4000)
    ]
    assert np.mean(found) == pytest.approx(2 * (count - 1) / count, abs=0.02)


@pytest.mark.parametrize(
    ("nodes", "edges", "said"),
    [
        (torch.full((3, 3), torch.nan), torch.zeros(0, 0), "matching costs must be finite"),
        (torch.zeros(3, 4), torch.zeros(0, 0), r"node costs must be square \(B, B\), found \(3, 4"),
        (torch.zeros(3, 3), torch.zeros(2, 2), r"edge costs must be \(E, F\) = \(0, 0\)"),
    ],
)
def test_what_is_refused(nodes, edges, said):
    none = torch.zeros(0, 2, dtype=torch.int64)
    with pytest.raises(ValueError, match=said):
        perceptron_loss(nodes, edges, none, none, solve_linear)
