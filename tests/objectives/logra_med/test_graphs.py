"""Graphs: edges, directions, barycenter, message passing."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import normalize

from jomed_app.objectives.logra_med.graphs import (
    MessagePassing,
    barycenter,
    edge_directions,
    nearest_neighbor_edges,
)


def test_edges_of_points_on_a_line():
    nodes = torch.tensor([[0.0], [1.0], [10.0], [12.0], [13.0]])
    assert nearest_neighbor_edges(nodes, 1).tolist() == [[0, 1], [1, 0], [2, 3], [3, 4], [4, 3]]


def test_no_node_is_its_own_neighbor_even_where_all_coincide():
    edges = nearest_neighbor_edges(torch.zeros(12, 3), 5)
    assert (edges[:, 0] != edges[:, 1]).all()
    assert len({tuple(edge) for edge in edges.tolist()}) == len(edges)


@pytest.mark.parametrize(("count", "asked", "kept"), [(8, 5, 2), (64, 5, 5), (3, 5, 1), (64, 0, 0)])
def test_a_small_batch_gets_few_neighbors(count, asked, kept):
    nodes = torch.randn(count, 4, generator=torch.Generator().manual_seed(0))
    assert len(nearest_neighbor_edges(nodes, asked)) == count * kept


def test_directions_are_unit_or_zero():
    nodes = torch.tensor([[0.0, 0.0], [3.0, 4.0], [3.0, 4.0]])
    found = edge_directions(nodes, torch.tensor([[0, 1], [1, 2]]))
    torch.testing.assert_close(found, torch.tensor([[0.6, 0.8], [0.0, 0.0]]))


def test_coinciding_nodes_keep_gradients_finite():
    nodes = torch.zeros(4, 3, requires_grad=True)
    edge_directions(nodes, torch.tensor([[0, 1], [2, 3]])).sum().backward()
    assert torch.isfinite(nodes.grad).all()


def test_no_modality_outweighs_another_in_the_barycenter():
    first, second = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1000.0]])
    torch.testing.assert_close(barycenter([first, second]), torch.tensor([[0.5, 0.5]]))


def test_modalities_of_two_shapes_are_refused():
    with pytest.raises(ValueError, match=r"must share one shape .* found \[\(2, 3\), \(2, 4\)\]"):
        barycenter([torch.zeros(2, 3), torch.zeros(2, 4)])


def test_message_passing_starts_as_the_identity_and_can_learn():
    torch.manual_seed(0)
    layers = MessagePassing(6)
    nodes = torch.randn(9, 6)
    edges = nearest_neighbor_edges(nodes, 2)
    torch.testing.assert_close(layers(nodes, edges), nodes)
    layers(nodes, edges).square().sum().backward()
    assert layers.mix[0].weight.grad.abs().sum() > 0


def test_a_node_hears_the_maximum_of_its_neighbors_and_silence_is_zero():
    # The weights let through what is heard and nothing else.
    layers = MessagePassing(1, num_layers=1, dropout=0.0)
    with torch.no_grad():
        layers.own[0].weight.zero_()
        layers.own[0].bias.zero_()
        layers.near[0].weight.fill_(1.0)
        layers.mix[0].weight.fill_(1.0)
    nodes = torch.tensor([[1.0], [2.0], [5.0]])
    edges = torch.tensor([[0, 1], [0, 2], [1, 0], [1, 2], [2, 0], [2, 1]])
    torch.testing.assert_close(layers(nodes, edges), torch.tensor([[6.0], [7.0], [7.0]]))
    torch.testing.assert_close(layers(nodes, edges[:0]), nodes)


def test_message_passing_follows_a_new_order_of_the_nodes():
    torch.manual_seed(1)
    layers = MessagePassing(4).eval()
    for mix in layers.mix:
        torch.nn.init.normal_(mix.weight)
    nodes = normalize(torch.randn(12, 4), dim=-1)
    order = torch.randperm(12)
    plain = layers(nodes, nearest_neighbor_edges(nodes, 3))
    shuffled = layers(nodes[order], nearest_neighbor_edges(nodes[order], 3))
    torch.testing.assert_close(shuffled, plain[order])
