"""The losses that `align` can choose from, alone and together, on the same texts.

A loss is a line in `LOSSES`, and its formula a file in `objectives/`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from jomed_app.config.training import AlignConfig, GraphConfig
from jomed_app.errors import ConfigError
from jomed_app.objectives.logra_med.contrastive import info_nce_loss
from jomed_app.objectives.logra_med.graph_alignment import GraphAlignment, GraphSettings

Told = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Term:
    """One loss of the sum.

    Attributes:
        loss: of (B, D) images, texts of (B, D) each and what noise is drawn with, all rows unit;
            returns a scalar, and what else the log tells of it.
        module: what learns in it; None where nothing does.
        weight: of the loss in the sum.
    """

    loss: Callable[[Tensor, Sequence[Tensor], torch.Generator | None], tuple[Tensor, Told]]
    module: nn.Module | None = None
    weight: float = 1.0


def over_texts(
    pair_loss: Callable[[Tensor, Tensor], Tensor], module: nn.Module | None = None
) -> Term:
    """A loss of images and one text each, averaged over the texts.

    Args:
        pair_loss: of (B, D) images and (B, D) texts, unit rows; row i belongs to row i.
        module: what learns in it.
    """

    def loss(
        image: Tensor, texts: Sequence[Tensor], generator: torch.Generator | None
    ) -> tuple[Tensor, Told]:
        return torch.stack([pair_loss(image, text) for text in texts]).mean(), {}

    return Term(loss, module)


def info_nce_term(config: AlignConfig, graph: GraphConfig, dim: int) -> Term:
    """InfoNCE at the configured temperature."""
    return over_texts(partial(info_nce_loss, temperature=config.temperature))


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


def graph_term(config: AlignConfig, graph: GraphConfig, dim: int) -> Term:
    """The graphs of the images and of every text, matched together; `hamming` tells how well."""
    alignment = build_graph_alignment(dim, graph)

    def loss(
        image: Tensor, texts: Sequence[Tensor], generator: torch.Generator | None
    ) -> tuple[Tensor, Told]:
        matched, hamming = alignment([image, *texts], generator)
        return matched, {"hamming": hamming}

    return Term(loss, alignment, config.graph_weight)


LOSSES: Mapping[str, Callable[[AlignConfig, GraphConfig, int], Term]] = {
    "infonce": info_nce_term,
    "graph": graph_term,
}
"""Name of a loss, as `align.loss` joins them with "+" -> what builds it for a width."""


def named_losses(loss: str) -> list[str]:
    """The names in `align.loss`.

    Raises:
        ConfigError: if one is not a loss, or is named twice.
    """
    names = loss.split("+")
    if len(set(names)) < len(names) or not set(names) <= set(LOSSES):
        raise ConfigError(
            f"'align.loss' must be one or more of {list(LOSSES)}, joined by '+', found '{loss}'"
        )
    return names


class AlignmentLoss(nn.Module):
    """Aligns image embeddings with those of one or more texts.

    Ours: every loss sees every text. InfoNCE averages over image-text pairs, so that a
    comparison with the graph loss does not compare how much text each was given.

    Args:
        config: which losses, their temperature and weight.
        graph: how graphs are built and matched.
        dim: width of an embedding.

    Raises:
        ConfigError: if the configuration names a loss that is none.
    """

    def __init__(self, config: AlignConfig, graph: GraphConfig, dim: int) -> None:
        super().__init__()
        self.terms = {name: LOSSES[name](config, graph, dim) for name in named_losses(config.loss)}
        for name, term in self.terms.items():
            self.add_module(name, term.module)
        self.use_extended = config.use_extended

    def forward(
        self, image: Tensor, texts: Sequence[Tensor], generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Return the terms by the names of their losses; "loss" is their weighted sum.

        Args:
            image: (B, D) unit rows.
            texts: (B, D) unit rows each, descriptions first.
            generator: of the graph costs' noise.
        """
        texts = list(texts) if self.use_extended else list(texts)[:1]
        terms = {"loss": image.new_zeros(())}
        for name, term in self.terms.items():
            terms[name], told = term.loss(image, texts, generator)
            terms["loss"] = terms["loss"] + term.weight * terms[name]
            terms |= told
        return terms
