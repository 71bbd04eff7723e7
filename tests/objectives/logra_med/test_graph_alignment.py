"""The alignment loss: invariances, gradients, saturation, degenerate batches, learning."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from jomed_app.objectives.logra_med.graph_alignment import GraphAlignment, GraphPair, GraphSettings
from jomed_app.objectives.logra_med.graphs import edge_directions, nearest_neighbor_edges
from jomed_app.objectives.logra_med.matching import solve_by_linearization
from jomed_app.objectives.logra_med.matching_gradients import matching_cost

QUIET = GraphSettings(noise=0.0)


def embeddings(seed, count=16, width=12, spread=0.6):
    generator = torch.Generator().manual_seed(seed)
    base = torch.randn(count, width, generator=generator)
    return [base + spread * torch.randn(count, width, generator=generator) for _ in range(3)]


def test_equal_modalities_are_aligned_already():
    same = embeddings(0)[0]
    loss, distance = GraphAlignment(12, QUIET)([same, same, same])
    assert (loss.item(), distance.item()) == (0, 0)


def test_unrelated_modalities_are_not():
    generator = torch.Generator().manual_seed(5)
    apart = [torch.randn(16, 12, generator=generator) for _ in range(3)]
    loss, distance = GraphAlignment(12, GraphSettings(noise=0.0, use_barycenter=False))(apart)
    assert loss.item() > 0
    assert 1 < distance.item() <= 2


@pytest.mark.parametrize("pairwise", [False, True])
@pytest.mark.parametrize("neighbors", [0, 3])
def test_the_order_of_the_batch_changes_nothing(pairwise, neighbors):
    settings = GraphSettings(noise=0.0, num_neighbors=neighbors, use_barycenter=not pairwise)
    torch.manual_seed(0)
    align = GraphAlignment(12, settings).eval()
    for mix in align.message_passing.mix:
        nn.init.normal_(mix.weight, std=0.05)
    modalities = [each.double() for each in embeddings(1, spread=2.0)]
    align.double()
    order = torch.randperm(16, generator=torch.Generator().manual_seed(3))
    plain = align(modalities)
    shuffled = align([each[order] for each in modalities])
    torch.testing.assert_close(plain[0], shuffled[0])
    torch.testing.assert_close(plain[1], shuffled[1])


@pytest.mark.parametrize("estimator", ["perceptron", "finite_difference"])
@pytest.mark.parametrize("solver", ["linear", "linearization", "swaps"])
def test_gradients_reach_the_towers_through_the_solver(estimator, solver):
    torch.manual_seed(0)
    towers = [nn.Linear(6, 12) for _ in range(3)]
    align = GraphAlignment(12, GraphSettings(solver=solver, estimator=estimator))
    inputs = [torch.randn(16, 6) for _ in towers]
    loss, _ = align(
        [tower(each) for tower, each in zip(towers, inputs, strict=True)],
        torch.Generator().manual_seed(0),
    )
    loss.backward()
    for tower in towers:
        assert torch.isfinite(tower.weight.grad).all()
        assert tower.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_coinciding_embeddings_stay_finite(value):
    modalities = [torch.full((8, 12), value, requires_grad=True) for _ in range(3)]
    loss, distance = GraphAlignment(12)(modalities, torch.Generator().manual_seed(0))
    loss.backward()
    assert torch.isfinite(torch.stack([loss, distance])).all()
    assert all(torch.isfinite(each.grad).all() for each in modalities)


@pytest.mark.parametrize("modalities", [[torch.zeros(4, 3)], [torch.zeros(1, 3)] * 3, []])
def test_too_little_to_align_is_refused(modalities):
    with pytest.raises(ValueError, match="requires two modalities and two cases or more, found"):
        GraphAlignment(3)(modalities)


def test_an_unknown_solver_is_refused():
    with pytest.raises(ValueError, match=r"the solver must be among \['linear', .* found 'lpmp'"):
        GraphAlignment(3, GraphSettings(solver="lpmp"))


@pytest.mark.parametrize("neighbors", [0, 3])
def test_costs_of_one_permutation_are_those_of_all(neighbors):
    """Sparse and dense costs, and the gradients of both."""
    generator = torch.Generator().manual_seed(0)
    nodes = [torch.randn(16, 6, generator=generator).requires_grad_() for _ in range(2)]
    edges = nearest_neighbor_edges(nodes[0], neighbors)

    def pair():
        return GraphPair(
            *(nn.functional.normalize(each, dim=-1) for each in nodes),
            *(edge_directions(each, edges) for each in nodes),
            edges,
            torch.randn(16, 16, generator=torch.Generator().manual_seed(1)),
            torch.randn(len(edges), len(edges), generator=torch.Generator().manual_seed(2)),
            0.5,
        )

    assignment = torch.randperm(16, generator=generator)
    dense = matching_cost(*pair().costs(), assignment, edges, edges)
    sparse = pair().cost_of(assignment)
    torch.testing.assert_close(sparse, dense)
    gradients = [torch.autograd.grad(each, nodes) for each in (dense, sparse)]
    for first, second in zip(*gradients, strict=True):
        torch.testing.assert_close(first, second)


def test_any_function_may_solve():
    asked = []

    def solver(problem):
        asked.append(len(problem.node_cost))
        return solve_by_linearization(problem)

    GraphAlignment(12, QUIET, solver)(embeddings(2))
    assert asked == [16] * 6


def test_a_margin_keeps_teaching_what_is_already_right():
    modalities = embeddings(4, spread=0.05)
    assert GraphAlignment(12, QUIET)(modalities)[0].item() == 0
    strict = GraphAlignment(12, GraphSettings(noise=0.0, margin=2.0))
    assert strict(modalities)[0].item() > 0


@pytest.mark.parametrize(
    "settings",
    [
        GraphSettings(num_layers=0, use_barycenter=False),
        GraphSettings(num_layers=0, margin=1.0),
        GraphSettings(num_layers=0, margin=1.0, estimator="finite_difference"),
    ],
    ids=["pairwise", "barycenter", "finite-difference"],
)
def test_two_projections_learn_to_agree(settings):
    """A linear map of one modality is recovered well enough to find the partners again."""
    torch.manual_seed(0)
    hidden = torch.randn(64, 8)
    first, second = hidden @ torch.randn(8, 16), hidden @ torch.randn(8, 20)
    projections = nn.ModuleList([nn.Linear(16, 12), nn.Linear(20, 12)])
    align = GraphAlignment(12, settings)
    optimizer = torch.optim.AdamW(projections.parameters(), lr=1e-2)

    def recall():
        ours, theirs = (
            nn.functional.normalize(projection(each), dim=-1)
            for projection, each in zip(projections, (first, second), strict=True)
        )
        return float(((ours @ theirs.T).argmax(1) == torch.arange(64)).float().mean())

    before = recall()
    generator = torch.Generator().manual_seed(0)
    for _ in range(120):
        rows = torch.randperm(64, generator=generator)[:32]
        loss, _ = align([projections[0](first[rows]), projections[1](second[rows])], generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert recall() > max(0.5, 4 * before)


def test_settings_are_what_the_authors_use():
    settings = GraphSettings()
    assert (settings.num_neighbors, settings.num_layers, settings.step) == (5, 2, 80.0)
    assert np.isclose(settings.noise, 0.05)
    assert settings.edge_weight == 0.5
