"""Multi-graph alignment: every modality's graph is matched to their barycenter, node by node.

Source: LoGra-Med (later ExGra-Med), arXiv:2410.02615: six second-order matchings a step, three
modalities to the barycenter and back, each compared with the identity, which is the truth.
Costs as in the authors' code: c = -(cosine + noise - 0.5), d = -0.5 (edge cosine + noise - 0.5).
Ours: the structured perceptron as the default gradient with a linear weight; normalization before
averaging; a plain margin is offered where noise alone stops teaching.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from jomed_app.objectives.logra_med.graphs import (
    EPSILON,
    MessagePassing,
    barycenter,
    edge_directions,
    nearest_neighbor_edges,
)
from jomed_app.objectives.logra_med.matching import SOLVERS, Solver, matched_edges
from jomed_app.objectives.logra_med.matching_gradients import (
    BlackBoxMatching,
    build_problem,
    hamming_distance,
    perceptron_gap,
    permutation_matrix,
)

Estimator = Literal["perceptron", "finite_difference"]
AFFINITY_OFFSET = 0.5  # authors' code: centers affinities, changes no optimum


@dataclass(frozen=True, slots=True)
class GraphSettings:
    """How graphs are built and matched.

    Attributes:
        num_neighbors: k of the graphs; 0 compares nodes only (first order).
        num_layers: message passing layers; 0 passes nothing.
        edge_weight: factor of edge costs against node costs.
        noise: scale of the Gumbel noise on affinities; margin: added to the identity's node costs.
        solver: name in `matching.SOLVERS`.
        estimator: gradient through the solver.
        step: finite-difference step (the authors' lambda).
        use_barycenter: match to the barycenter; else every modality to every other.
    """

    num_neighbors: int = 5
    num_layers: int = 2
    edge_weight: float = 0.5
    noise: float = 0.05
    margin: float = 0.0
    solver: str = "linearization"
    estimator: Estimator = "perceptron"
    step: float = 80.0
    use_barycenter: bool = True


@dataclass(frozen=True, slots=True)
class GraphPair:
    """Two graphs over the same edge list, and what matching one to the other costs.

    Attributes:
        first, second: (B, D) unit nodes; along, across: (E, D) unit edge directions.
        edges: (E, 2) of the first graph, which the second borrows.
        node_extra: (B, B), edge_extra: (E, E) added to the affinities: noise, margin.
        edge_weight: factor of edge costs.
    """

    first: Tensor
    second: Tensor
    along: Tensor
    across: Tensor
    edges: Tensor
    node_extra: Tensor
    edge_extra: Tensor
    edge_weight: float

    def costs(self) -> tuple[Tensor, Tensor]:
        """All node costs (B, B) and edge costs (E, E)."""
        nodes = self.first @ self.second.T + self.node_extra - AFFINITY_OFFSET
        edges = self.along @ self.across.T + self.edge_extra - AFFINITY_OFFSET
        return -nodes, -self.edge_weight * edges

    def cost_of(self, assignment: Tensor) -> Tensor:
        """Cost of one (B,) permutation; gradients flow through what it matches, nothing else."""
        rows = torch.arange(len(assignment))
        nodes = (self.first * self.second[assignment]).sum(-1) + self.node_extra[rows, assignment]
        edges_of = self.edges.cpu().numpy()  # the solver and its answer live on the CPU
        pair = matched_edges(assignment.numpy(), edges_of, edges_of)
        source, target = (torch.from_numpy(each) for each in pair)
        edges = (self.along[source] * self.across[target]).sum(-1) + self.edge_extra[source, target]
        return -(nodes - AFFINITY_OFFSET).sum() - self.edge_weight * (edges - AFFINITY_OFFSET).sum()


class GraphAlignment(nn.Module):
    """The loss with its shared message passing.

    Args:
        width: D of the embeddings.
        settings: see `GraphSettings`.
        solver: any function from a problem to a permutation; None takes the named one.

    Raises:
        ValueError: if there is no such solver.
    """

    def __init__(
        self, width: int, settings: GraphSettings | None = None, solver: Solver | None = None
    ) -> None:
        super().__init__()
        self.settings = settings or GraphSettings()
        if solver is None and self.settings.solver not in SOLVERS:
            raise ValueError(
                f"the solver must be among {sorted(SOLVERS)}, found '{self.settings.solver}'"
            )
        self.solver = solver or SOLVERS[self.settings.solver]
        self.message_passing = MessagePassing(width, self.settings.num_layers)

    def forward(
        self, modalities: Sequence[Tensor], generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Align two or more modalities; row i of each is the same case.

        Args:
            modalities: (B, D) embeddings each, B >= 2.
            generator: of the noise.

        Returns:
            The loss, a scalar >= 0, and the mean Hamming distance from the identity, in [0, 2].

        Raises:
            ValueError: if there are fewer than two modalities or cases.
        """
        if len(modalities) < 2 or len(modalities[0]) < 2:
            raise ValueError(
                "alignment requires two modalities and two cases or more, found "
                f"{len(modalities)} and {len(modalities[0]) if modalities else 0}"
            )
        center = barycenter(modalities)
        nodes = [functional.normalize(each, dim=-1, eps=EPSILON) for each in modalities]
        if self.settings.use_barycenter:
            pairs = [pair for each in nodes for pair in ((each, center), (center, each))]
        else:
            pairs = list(permutations(nodes, 2))
        noise = _gumbel((len(center), len(center)), self.settings.noise, center, generator)
        losses, distances = [], []
        for source, target in pairs:
            loss, distance = self._match(source, target, noise, generator)
            losses.append(loss)
            distances.append(distance)
        return torch.stack(losses).mean(), torch.stack(distances).mean()

    def _match(
        self, source: Tensor, target: Tensor, noise: Tensor, generator: torch.Generator | None
    ) -> tuple[Tensor, Tensor]:
        settings = self.settings
        edges = nearest_neighbor_edges(source, settings.num_neighbors)
        first, second = (self.message_passing(each, edges) for each in (source, target))
        pair = GraphPair(
            functional.normalize(first, dim=-1, eps=EPSILON),
            functional.normalize(second, dim=-1, eps=EPSILON),
            edge_directions(first, edges),
            edge_directions(second, edges),
            edges,
            noise - settings.margin * torch.eye(len(noise)).to(noise),
            _gumbel((len(edges), len(edges)), settings.noise, source, generator),
            settings.edge_weight,
        )
        if settings.estimator == "finite_difference":
            permutation: Tensor = BlackBoxMatching.apply(  # type: ignore[no-untyped-call]
                *pair.costs(), edges, edges, self.solver, settings.step
            )
            distance = hamming_distance(permutation)
            return distance, distance.detach()
        with torch.no_grad():
            problem = build_problem(*pair.costs(), edges, edges)
        loss, assignment = perceptron_gap(problem, pair.cost_of, self.solver)
        return loss, hamming_distance(permutation_matrix(assignment)).to(loss)


def _gumbel(
    shape: tuple[int, int], scale: float, like: Tensor, generator: torch.Generator | None
) -> Tensor:
    """Gumbel(0, scale) noise; zeros where the scale is 0."""
    if scale == 0:
        return torch.zeros(shape, dtype=like.dtype, device=like.device)
    uniform = torch.rand(shape, generator=generator).clamp(1e-6, 1 - 1e-6)
    return (-scale * torch.log(-torch.log(uniform))).to(like)
