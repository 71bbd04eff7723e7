"""Gradients through a matching solver: finite differences, and the perceptron they become.

Source: black-box differentiation, arXiv:1912.02175 equation 3, as LoGra-Med (arXiv:2410.02615) uses
it; at saturation its gradient is that of the structured perceptron, an ordinary loss.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from jomed_app.objectives.logra_med.matching import Problem, Solver, matched_edges


def matching_cost(
    node_cost: Tensor,
    edge_cost: Tensor,
    assignment: Tensor,
    source_edges: Tensor,
    target_edges: Tensor,
) -> Tensor:
    """Cost of a fixed permutation, in ordinary autograd.

    Args:
        node_cost: (B, B).
        edge_cost: (E, F).
        assignment: (B,) int64 target of every source node.
        source_edges: (E, 2).
        target_edges: (F, 2).

    Returns:
        Scalar.
    """
    rows = torch.arange(len(assignment), device=node_cost.device)
    source, target = matched_edges(
        assignment.cpu().numpy(), source_edges.cpu().numpy(), target_edges.cpu().numpy()
    )
    device = edge_cost.device
    pairs = edge_cost[torch.from_numpy(source).to(device), torch.from_numpy(target).to(device)]
    return node_cost[rows, assignment].sum() + pairs.sum()


class BlackBoxMatching(torch.autograd.Function):
    """A solver as a layer: costs in, permutation matrix out, finite differences backward.

    Source: arXiv:1912.02175: X_step = solve(c + step * dL/dX, d); dL/dc = -(X - X_step) / step, and
    the same for the edges that either permutation lays on each other.
    """

    @staticmethod
    def forward(
        ctx: Any,
        node_cost: Tensor,
        edge_cost: Tensor,
        source_edges: Tensor,
        target_edges: Tensor,
        solver: Solver,
        step: float,
    ) -> Tensor:
        """Return the (B, B) 0/1 matrix of the solver's permutation."""
        problem = build_problem(node_cost, edge_cost, source_edges, target_edges)
        assignment = solver(problem)
        ctx.problem, ctx.assignment, ctx.solver, ctx.step = problem, assignment, solver, step
        ctx.like = node_cost, edge_cost
        return permutation_matrix(torch.from_numpy(assignment)).to(node_cost)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Solve again where the gradient has moved the costs; return the scaled difference."""
        problem, first, step = ctx.problem, ctx.assignment, ctx.step
        shift = step * gradients[0].detach().double().cpu().numpy()
        moved = Problem(
            problem.node_cost + shift,
            problem.edge_cost,
            problem.source_edges,
            problem.target_edges,
        )
        second = ctx.solver(moved)
        nodes = np.zeros_like(problem.node_cost)
        rows = np.arange(len(first))
        np.add.at(nodes, (rows, first), -1.0 / step)
        np.add.at(nodes, (rows, second), 1.0 / step)
        edges = np.zeros_like(problem.edge_cost)
        for assignment, sign in ((first, -1.0), (second, 1.0)):
            pair = matched_edges(assignment, problem.source_edges, problem.target_edges)
            np.add.at(edges, pair, sign / step)
        node_like, edge_like = ctx.like
        return (
            torch.from_numpy(nodes).to(node_like),
            torch.from_numpy(edges).to(edge_like),
            None,
            None,
            None,
            None,
        )


def perceptron_loss(
    node_cost: Tensor,
    edge_cost: Tensor,
    source_edges: Tensor,
    target_edges: Tensor,
    solver: Solver,
) -> tuple[Tensor, Tensor]:
    """Structured perceptron: how much the identity costs beyond the solver's permutation.

    Ours: an explicit linear weight takes the place of the finite-difference step; where the
    shifted solution is the identity both gradients are the same up to that weight. A heuristic
    solver that misses the identity's lower cost is overruled by it, so the loss is never negative.

    Args:
        node_cost: (B, B).
        edge_cost: (E, F).
        source_edges: (E, 2).
        target_edges: (F, 2).
        solver: runs without gradient.

    Returns:
        Scalar >= 0, divided by B, and the (B,) permutation it was measured against.
    """
    problem = build_problem(node_cost, edge_cost, source_edges, target_edges)

    def cost_of(assignment: Tensor) -> Tensor:
        return matching_cost(node_cost, edge_cost, assignment, source_edges, target_edges)

    return perceptron_gap(problem, cost_of, solver)


def perceptron_gap(
    problem: Problem, cost_of: Callable[[Tensor], Tensor], solver: Solver
) -> tuple[Tensor, Tensor]:
    """The perceptron's loss where costs with gradient are computed for two permutations only.

    Args:
        problem: all costs, without gradient.
        cost_of: scalar cost of a (B,) permutation, in ordinary autograd; equals the problem's.
        solver: see `Solver`.

    Returns:
        As `perceptron_loss`.
    """
    found = solver(problem)
    identity = torch.arange(len(found))
    wanted = cost_of(identity)
    if problem.cost(np.arange(len(found))) <= problem.cost(found):
        return wanted * 0.0, identity
    assignment = torch.from_numpy(found)
    return (wanted - cost_of(assignment)).clamp_min(0.0) / len(found), assignment


def permutation_matrix(assignment: Tensor) -> Tensor:
    """(B,) target nodes -> (B, B) matrix of 0 and 1."""
    return torch.eye(len(assignment))[assignment]


def hamming_distance(permutation: Tensor) -> Tensor:
    """Distance of a (B, B) 0/1 matrix from the identity: 2 x wrong rows / B, in [0, 2]."""
    identity = torch.eye(len(permutation), dtype=permutation.dtype, device=permutation.device)
    wrong = permutation * (1 - identity) + (1 - permutation) * identity
    return wrong.sum(1).mean()


def build_problem(
    node_cost: Tensor, edge_cost: Tensor, source_edges: Tensor, target_edges: Tensor
) -> Problem:
    """Detach and check a problem.

    Raises:
        ValueError: if a cost is not finite, or shapes do not fit.
    """
    costs = [value.detach().double().cpu().numpy() for value in (node_cost, edge_cost)]
    if not all(np.isfinite(value).all() for value in costs):
        raise ValueError("matching costs must be finite; check the embeddings for NaN")
    if costs[0].ndim != 2 or costs[0].shape[0] != costs[0].shape[1]:
        raise ValueError(f"node costs must be square (B, B), found {costs[0].shape}")
    if costs[1].shape != (len(source_edges), len(target_edges)):
        raise ValueError(
            f"edge costs must be (E, F) = ({len(source_edges)}, {len(target_edges)}), "
            f"found {costs[1].shape}"
        )
    return Problem(costs[0], costs[1], source_edges.cpu().numpy(), target_edges.cpu().numpy())
