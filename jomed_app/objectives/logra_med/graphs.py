"""Graphs over a batch of embeddings: neighbors, message passing, edge directions, the barycenter.

Source: LoGra-Med (later ExGra-Med), arXiv:2410.02615, section 3. A batch is one graph per modality
(image, description, extended description): a node per case, edges to its nearest neighbors.
Ours: rows are brought to unit length before they are averaged, so that no modality outweighs
another, and every normalization is safe where embeddings coincide.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

EPSILON = 1e-8


def nearest_neighbor_edges(nodes: Tensor, num_neighbors: int) -> Tensor:
    """Directed edges from every node to its nearest other nodes, by Euclidean distance.

    Ours: at most B / 4 neighbors, or a small batch's graph is nearly complete and tells nothing.

    Args:
        nodes: (B, D) embeddings; no gradient passes.
        num_neighbors: k >= 0; 0 gives no edge.

    Returns:
        (E, 2) int64, E = B * min(k, max(1, B // 4), B - 1), rows (from, to), sorted by from.
    """
    count = len(nodes)
    k = min(num_neighbors, max(1, count // 4), count - 1)
    if k <= 0:
        return torch.zeros(0, 2, dtype=torch.int64, device=nodes.device)
    with torch.no_grad():
        distance = torch.cdist(nodes.float(), nodes.float())
        distance.fill_diagonal_(torch.inf)
        nearest = distance.topk(k, largest=False).indices
    start = torch.arange(count, device=nodes.device).repeat_interleave(k)
    return torch.stack([start, nearest.flatten()], dim=1)


def edge_directions(nodes: Tensor, edges: Tensor) -> Tensor:
    """Unit differences (E, D) of the nodes that each edge joins; zero where they coincide."""
    difference = nodes.index_select(0, edges[:, 1]) - nodes.index_select(0, edges[:, 0])
    return functional.normalize(difference, dim=-1, eps=EPSILON)


def barycenter(modalities: Sequence[Tensor]) -> Tensor:
    """Mean (B, D) of the modalities' unit rows; correspondences are known, so a mean is enough.

    Raises:
        ValueError: if there is none, or their shapes differ.
    """
    if not modalities or len({tuple(nodes.shape) for nodes in modalities}) != 1:
        shapes = [tuple(nodes.shape) for nodes in modalities]
        raise ValueError(f"modalities must share one shape (B, D), found {shapes}")
    rows = [functional.normalize(nodes, dim=-1, eps=EPSILON) for nodes in modalities]
    return torch.stack(rows).mean(0)


class MessagePassing(nn.Module):
    """Graph convolutions with max aggregation, shared by all graphs of a step.

    Source: arXiv:2410.02615 (two layers); GraphConv, arXiv:1810.02244 equation 5:
    h_i <- W_own h_i + W_near max_{j in N(i)} h_j. Ours: a residual around each layer, whose weights
    start at zero for the neighbors and for the node itself, so that step 0 compares the embeddings
    as they are; dropout 0.1 as in the authors' code.

    Args:
        width: D of the nodes; num_layers: 0 passes nothing.
    """

    def __init__(self, width: int, num_layers: int = 2, dropout: float = 0.1) -> None:
        super().__init__()
        self.own = nn.ModuleList(nn.Linear(width, width) for _ in range(num_layers))
        self.near = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(num_layers))
        self.mix = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(num_layers))
        for parameter in self.mix.parameters():
            nn.init.zeros_(parameter)
        self.dropout = nn.Dropout(dropout)

    def forward(self, nodes: Tensor, edges: Tensor) -> Tensor:
        """Return (B, D) nodes that have heard from their neighbors.

        Args:
            nodes: (B, D).
            edges: (E, 2) as `nearest_neighbor_edges` gives them: as many for every node, in order.
        """
        count, near_count = len(nodes), len(edges) // len(nodes)
        for own, near, mix in zip(self.own, self.near, self.mix, strict=True):
            heard = torch.zeros_like(nodes)
            if near_count:
                members = nodes.index_select(0, edges[:, 1]).view(count, near_count, -1)
                heard = members.max(1).values
            nodes = nodes + mix(self.dropout(functional.relu(own(nodes) + near(heard))))
        return nodes
