"""Graph matching: which node of one graph is which of another; problems and solvers.

Source: second-order graph alignment of LoGra-Med, arXiv:2410.02615 section 3, as a quadratic
assignment: min over permutations p of sum_i c[i, p(i)] + sum over edge pairs d[e, f] where
f = (p(i), p(j)) for e = (i, j). Ours: no LPMP; linear assignment by SciPy with rounds of
linearization, and a local search. Gradients through a solver: `matching_gradients`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Problem:
    """One matching problem of B source nodes to B target nodes.

    Attributes:
        node_cost: (B, B) cost of matching source i to target a.
        edge_cost: (E, F) cost of matching source edge e to target edge f.
        source_edges: (E, 2), target_edges: (F, 2) node indexes, no pair twice.
    """

    node_cost: FloatArray
    edge_cost: FloatArray
    source_edges: IntArray
    target_edges: IntArray

    def linearized(self, assignment: IntArray) -> FloatArray:
        """(B, B) gradient of the cost at a permutation: what moving one node would cost."""
        gradient = self.node_cost.copy()
        if not self.edge_cost.size:
            return gradient
        (i, j), (a, b) = self.source_edges.T, self.target_edges.T
        by_head = _edges_by_node(b, len(gradient))
        by_tail = _edges_by_node(a, len(gradient))
        _add_over_edges(gradient, self.edge_cost, i, a, by_head, assignment[j])
        _add_over_edges(gradient, self.edge_cost, j, b, by_tail, assignment[i])
        return gradient

    def cost(self, assignment: IntArray) -> float:
        """Cost of one permutation."""
        nodes = self.node_cost[np.arange(len(assignment)), assignment].sum()
        source, target = matched_edges(assignment, self.source_edges, self.target_edges)
        return float(nodes + self.edge_cost[source, target].sum())


Solver = Callable[[Problem], IntArray]
"""Returns (B,) target node of every source node."""


def matched_edges(
    assignment: IntArray, source_edges: IntArray, target_edges: IntArray
) -> tuple[IntArray, IntArray]:
    """Pairs (e, f) of edges that a permutation lays on each other."""
    count = len(assignment)
    place = np.full(count * count, -1, dtype=np.int64)
    place[target_edges[:, 0] * count + target_edges[:, 1]] = np.arange(len(target_edges))
    moved = assignment[source_edges]
    found = place[moved[:, 0] * count + moved[:, 1]] if len(moved) else place[:0]
    source = np.flatnonzero(found >= 0)
    return source, found[source]


def solve_linear(problem: Problem) -> IntArray:
    """Optimal assignment of the node costs alone (Hungarian method, by SciPy)."""
    return np.asarray(linear_sum_assignment(problem.node_cost)[1], dtype=np.int64)


def solve_by_linearization(problem: Problem, max_rounds: int = 10) -> IntArray:
    """Integer projected fixed point: linearize, assign, repeat; the cheapest permutation seen.

    Source: arXiv:0908.2953 (NIPS 2009), without its line search. Starts from the linear solution.

    Args:
        problem: costs.
        max_rounds: linearizations at most; it stops where nothing changes.
    """
    best = current = solve_linear(problem)
    least = problem.cost(best)
    for _ in range(max_rounds if problem.edge_cost.size else 0):
        following = np.asarray(
            linear_sum_assignment(problem.linearized(current))[1], dtype=np.int64
        )
        if np.array_equal(following, current):
            break
        current = following
        cost = problem.cost(current)
        if cost < least:
            best, least = current, cost
    return best


def solve_by_swaps(problem: Problem, max_swaps: int = 200, tried: int = 8) -> IntArray:
    """Local search: from the linearized solution, swap two targets while that lowers the cost.

    Args:
        problem: costs.
        max_swaps: swaps at most.
        tried: of the swaps that look best to first order, how many are tried exactly each time.
    """
    current = solve_by_linearization(problem)
    least = problem.cost(current)
    upper = np.triu_indices(len(current), 1)
    for _ in range(max_swaps):
        gradient = problem.linearized(current)
        moved = gradient[:, current]
        stay = np.diagonal(moved)
        change = (moved + moved.T - stay[:, None] - stay[None, :])[upper]
        improved = False
        for place in np.argsort(change, kind="stable")[:tried]:
            i, j = upper[0][place], upper[1][place]
            swapped = current.copy()
            swapped[[i, j]] = swapped[[j, i]]
            cost = problem.cost(swapped)
            if cost < least - 1e-12:
                current, least, improved = swapped, cost, True
                break
        if not improved:
            break
    return current


SOLVERS: dict[str, Solver] = {
    "linear": solve_linear,
    "linearization": solve_by_linearization,
    "swaps": solve_by_swaps,
}


def _edges_by_node(ends: IntArray, count: int) -> tuple[IntArray, IntArray]:
    """Edges sorted by the node at one end, and where each node's edges start."""
    order = np.argsort(ends, kind="stable")
    return order, np.searchsorted(ends[order], np.arange(count + 1))


def _add_over_edges(
    gradient: FloatArray,
    edge_cost: FloatArray,
    rows: IntArray,
    columns: IntArray,
    by_node: tuple[IntArray, IntArray],
    wanted: IntArray,
) -> None:
    """For every source edge, add the costs of the target edges whose other end is `wanted`."""
    order, starts = by_node
    counts = starts[wanted + 1] - starts[wanted]
    source = np.repeat(np.arange(len(wanted)), counts)
    offset = np.arange(len(source)) - np.repeat(np.cumsum(counts) - counts, counts)
    target = order[starts[wanted[source]] + offset]
    np.add.at(gradient, (rows[source], columns[target]), edge_cost[source, target])
