"""The losses that `align` can choose from, alone and together, on the same texts."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from jomed_app.config.training import AlignConfig, GraphConfig
from jomed_app.objectives.logra_med.contrastive import info_nce_loss
from jomed_app.objectives.logra_med.graph_alignment import GraphAlignment, GraphSettings


def build_graph_alignment(width: int, graph: GraphConfig) -> GraphAlignment:
    """The graph loss on embeddings of a width, set up as configured."""
    settings = GraphSettings(
        num_neighbors=graph.num_neighbors,
        num_layers=graph.num_layers,
        edge_weight=graph.edge_weight,
        noise=graph.noise,
        margin=graph.margin,
        solver=graph.solver,
        estimator=graph.estimator,
        step=graph.step,
        use_barycenter=graph.use_barycenter,
    )
    return GraphAlignment(width, settings)


class AlignmentLoss(nn.Module):
    """Aligns image embeddings with those of one or more texts.

    Ours: every loss sees every text. InfoNCE averages over image-text pairs, so that a
    comparison with the graph loss does not compare how much text each was given.

    Args:
        config: which losses, their temperature and weight.
        graph: how graphs are built and matched.
        dim: width of an embedding.
    """

    def __init__(self, config: AlignConfig, graph: GraphConfig, dim: int) -> None:
        super().__init__()
        self.names = config.loss.split("+")
        self.temperature = config.temperature
        self.graph_weight = config.graph_weight
        self.use_extended = config.use_extended
        if "graph" in self.names:
            self.graph = build_graph_alignment(dim, graph)

    def forward(
        self, image: Tensor, texts: Sequence[Tensor], generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Return the terms; "loss" is their weighted sum.

        Args:
            image: (B, D) unit rows.
            texts: (B, D) unit rows each, descriptions first.
            generator: of the graph costs' noise.
        """
        texts = list(texts) if self.use_extended else list(texts)[:1]
        terms: dict[str, Tensor] = {}
        if "infonce" in self.names:
            each = [info_nce_loss(image, text, self.temperature) for text in texts]
            terms["contrast"] = torch.stack(each).mean()
        total = terms.get("contrast", image.new_zeros(()))
        if "graph" in self.names:
            terms["graph"], terms["hamming"] = self.graph([image, *texts], generator)
            total = total + self.graph_weight * terms["graph"]
        return {"loss": total} | terms
