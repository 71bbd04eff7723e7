"""Graph matching: solvers against brute force and SciPy, the linearization."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import quadratic_assignment

from jomed_app.objectives.logra_med.matching import (
    SOLVERS,
    Problem,
    matched_edges,
    solve_by_linearization,
    solve_by_swaps,
    solve_linear,
)


def random_edges(rng, count, per_node=2):
    edges = [
        (i, int(j))
        for i in range(count)
        for j in rng.choice([n for n in range(count) if n != i], size=per_node, replace=False)
    ]
    return np.array(edges, dtype=np.int64)


def random_problem(seed, count=5, edge_scale=0.5):
    rng = np.random.default_rng(seed)
    edges = random_edges(rng, count)
    return Problem(
        rng.normal(size=(count, count)),
        edge_scale * rng.normal(size=(len(edges), len(edges))),
        edges,
        edges,
    )


def brute_force(problem):
    count = len(problem.node_cost)
    return min(
        (np.array(each, dtype=np.int64) for each in permutations(range(count))), key=problem.cost
    )


def test_cost_by_hand():
    edges = np.array([[0, 1], [1, 0]])
    problem = Problem(
        np.array([[1.0, 2.0], [3.0, 5.0]]), np.array([[10.0, 20.0], [40.0, 80.0]]), edges, edges
    )
    assert problem.cost(np.array([0, 1])) == 1 + 5 + 10 + 80
    assert problem.cost(np.array([1, 0])) == 2 + 3 + 20 + 40


def test_edges_without_a_partner_cost_nothing():
    source, target = np.array([[0, 1], [1, 2]]), np.array([[0, 1]])
    first, second = matched_edges(np.arange(3), source, target)
    assert (first.tolist(), second.tolist()) == ([0], [0])


@pytest.mark.parametrize("seed", range(5))
def test_linearization_is_the_gradient_of_the_relaxed_cost(seed):
    problem = random_problem(seed)
    count = len(problem.node_cost)
    assignment = np.random.default_rng(seed + 100).permutation(count)

    def relaxed(matrix):
        i, j = problem.source_edges.T
        a, b = problem.target_edges.T
        pairs = matrix[i][:, a] * matrix[j][:, b]
        return (problem.node_cost * matrix).sum() + (problem.edge_cost * pairs).sum()

    start = np.eye(count)[assignment]
    found = problem.linearized(assignment)
    numeric = np.zeros_like(found)
    for row, column in np.ndindex(count, count):
        moved = start.copy()
        moved[row, column] += 1e-6
        numeric[row, column] = (relaxed(moved) - relaxed(start)) / 1e-6
    np.testing.assert_allclose(found, numeric, atol=1e-4)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_without_edges_every_solver_is_exact(seed):
    rng = np.random.default_rng(seed)
    none = np.zeros((0, 2), dtype=np.int64)
    problem = Problem(rng.normal(size=(5, 5)), np.zeros((0, 0)), none, none)
    for solve in SOLVERS.values():
        assert problem.cost(solve(problem)) == pytest.approx(problem.cost(brute_force(problem)))


@given(seed=st.integers(0, 10_000), count=st.integers(2, 6))
@settings(max_examples=40, deadline=None)
def test_solvers_stand_in_order_between_the_optimum_and_the_linear_start(seed, count):
    problem = random_problem(seed, count) if count > 2 else random_problem(seed, 3)
    best = problem.cost(brute_force(problem))
    linear, linearized, swapped = (
        problem.cost(solve(problem))
        for solve in (solve_linear, solve_by_linearization, solve_by_swaps)
    )
    assert best - 1e-9 <= swapped <= linearized + 1e-9 <= linear + 2e-9


def test_swaps_come_close_to_the_optimum():
    gaps, spans = [], []
    for seed in range(60):
        problem = random_problem(seed, 6)
        best = problem.cost(brute_force(problem))
        mean = np.mean([problem.cost(np.random.default_rng(n).permutation(6)) for n in range(60)])
        gaps.append(problem.cost(solve_by_swaps(problem)) - best)
        spans.append(mean - best)
    assert np.mean(gaps) < 0.15 * np.mean(spans)


def test_level_with_scipys_quadratic_assignment():
    """Koopmans-Beckmann problems, which SciPy can solve too: ours is not worse on average."""
    ours, theirs = [], []
    for seed in range(15):
        rng = np.random.default_rng(seed)
        count = 8
        first, second = rng.random((2, count, count))
        np.fill_diagonal(first, 0)
        np.fill_diagonal(second, 0)
        edges = np.argwhere(~np.eye(count, dtype=bool))
        costs = np.outer(first[tuple(edges.T)], second[tuple(edges.T)])
        problem = Problem(np.zeros((count, count)), costs, edges, edges)
        ours.append(problem.cost(solve_by_swaps(problem)))
        faq = quadratic_assignment(first, second, options={"rng": np.random.default_rng(0)})
        theirs.append(problem.cost(faq.col_ind))
        assert theirs[-1] == pytest.approx(faq.fun)
    assert np.mean(ours) <= 1.05 * np.mean(theirs)
