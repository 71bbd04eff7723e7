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

from jomed_app.objectives.graphs import (
    EPSILON,
    MessagePassing,
    barycenter,
    edge_directions,
    nearest_neighbor_edges,
)
from jomed_app.objectives.matching import SOLVERS, Solver
from jomed_app.objectives.matching_gradients import (
    BlackBoxMatching,
    hamming_distance,
    perceptron_loss,
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

    def costs(
        self, source: Tensor, target: Tensor, noise: Tensor, generator: torch.Generator | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Node costs (B, B), edge costs (E, E) and edges (E, 2), which the target borrows."""
        settings = self.settings
        edges = nearest_neighbor_edges(source, settings.num_neighbors)
        heard = [self.message_passing(each, edges) for each in (source, target)]
        first, second = (functional.normalize(each, dim=-1, eps=EPSILON) for each in heard)
        node_cost = -(first @ second.T + noise - AFFINITY_OFFSET)
        if settings.margin:
            node_cost = node_cost + settings.margin * torch.eye(len(node_cost)).to(node_cost)
        along, across = (edge_directions(each, edges) for each in heard)
        shaken = _gumbel((len(edges), len(edges)), settings.noise, source, generator)
        edge_cost = -settings.edge_weight * (along @ across.T + shaken - AFFINITY_OFFSET)
        return node_cost, edge_cost, edges

    def _match(
        self, source: Tensor, target: Tensor, noise: Tensor, generator: torch.Generator | None
    ) -> tuple[Tensor, Tensor]:
        node_cost, edge_cost, edges = self.costs(source, target, noise, generator)
        if self.settings.estimator == "finite_difference":
            permutation: Tensor = BlackBoxMatching.apply(  # type: ignore[no-untyped-call]
                node_cost, edge_cost, edges, edges, self.solver, self.settings.step
            )
            distance = hamming_distance(permutation)
            return distance, distance.detach()
        loss, assignment = perceptron_loss(node_cost, edge_cost, edges, edges, self.solver)
        return loss, hamming_distance(permutation_matrix(assignment.cpu())).to(loss)


def _gumbel(
    shape: tuple[int, int], scale: float, like: Tensor, generator: torch.Generator | None
) -> Tensor:
    """Gumbel(0, scale) noise; zeros where the scale is 0."""
    if scale == 0:
        return torch.zeros(shape, dtype=like.dtype, device=like.device)
    uniform = torch.rand(shape, generator=generator).clamp(1e-6, 1 - 1e-6)
    return (-scale * torch.log(-torch.log(uniform))).to(like)
