"""The localizer: where on the image a finding lies, from the tower's patch tokens.

Four edge queries and one presence query attend to the tokens; each edge is a distribution over the
same location bins that the reader's location tokens stand for, so both can be read alike.
Ours: the reader's own location tokens need far more training than a laptop gives to be worth
drawing (both are measured in the report); until then the boxes on screen come from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel

from jomed_app.boxes import Box

EDGES = 4
WINDOW_BINS = 5  # the expected place is taken over this many bins to either side of the peak


class LocalizerConfig(PreTrainedConfig):
    """Shape of the localizer.

    Attributes:
        token_size: width of the tower's tokens.
        width: width inside, a multiple of 6.
        num_layers: transformer layers.
        location_bins: bins per axis.
    """

    model_type = "jomed_localizer"

    token_size: int = 800
    width: int = 192
    num_layers: int = 3
    location_bins: int = 64


@dataclass(frozen=True, slots=True)
class Located:
    """What the localizer says of one image.

    Attributes:
        box: on the unit square of the model input.
        presence: probability in [0, 1] that there is a finding at all.
        confidence: share of the edges' mass near their peaks, in [0, 1].
    """

    box: Box
    presence: float
    confidence: float


class Localizer(PreTrainedModel):
    """Patch tokens -> four edge distributions and presence."""

    config_class = LocalizerConfig
    config: LocalizerConfig
    main_input_name = "tokens"

    def __init__(self, config: LocalizerConfig) -> None:
        super().__init__(config)
        self.enter = nn.Sequential(
            nn.LayerNorm(config.token_size), nn.Linear(config.token_size, config.width)
        )
        self.queries = nn.Parameter(torch.zeros(EDGES + 1, config.width))
        layer = nn.TransformerEncoderLayer(
            config.width,
            6,
            2 * config.width,
            dropout=0.1,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.layers = nn.TransformerEncoder(layer, config.num_layers, enable_nested_tensor=False)
        self.leave = nn.LayerNorm(config.width)
        self.edges = nn.Linear(config.width, config.location_bins)
        self.presence = nn.Linear(config.width, 1)
        self.post_init()  # type: ignore[no-untyped-call]

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, Localizer):
            nn.init.trunc_normal_(module.queries, std=0.02)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Locate.

        Args:
            tokens: (B, P, token_size) of the vision tower.

        Returns:
            (B, 4, L) edge logits in the order x0, y0, x1, y1, and (B,) presence logits.
        """
        entered = self.enter(tokens.to(self.queries.dtype))
        queries = self.queries.expand(len(tokens), -1, -1)
        hidden = self.leave(self.layers(torch.cat([queries, entered], dim=1)))
        return self.edges(hidden[:, :EDGES]), self.presence(hidden[:, EDGES])[:, 0]

    @torch.inference_mode()
    def locate(self, tokens: Tensor) -> list[Located]:
        """Locate the main finding of every image; `presence` says whether there is any."""
        edges, presence = self(tokens)
        located = []
        for rows, logit in zip(edges.float().softmax(-1), presence.float(), strict=True):
            found = [peak_expectation(row, WINDOW_BINS) for row in rows]
            (x0, _, _), (y0, _, _), (x1, _, _), (y1, _, _) = found
            half = 0.5 / rows.shape[-1]
            box = Box(
                min(x0, x1) - half, min(y0, y1) - half, max(x0, x1) + half, max(y0, y1) + half
            )
            confidence = sum(mass for _, _, mass in found) / EDGES
            located.append(Located(box, float(logit.sigmoid()), confidence))
        return located


def peak_expectation(probability: Tensor, window: int) -> tuple[float, int, float]:
    """Locate a value by its bins: the mean around the highest one.

    Ours: finer than the bin itself, and deaf to a second peak far away.

    Args:
        probability: (L,) >= 0, not all zero.
        window: bins to either side of the peak that count.

    Returns:
        The value on [0, 1], the peak's bin, and the share of the mass inside the window.
    """
    total = probability.sum()
    peak = int(probability.argmax())
    low, high = max(0, peak - window), min(len(probability), peak + window + 1)
    inside = probability[low:high]
    centers = (torch.arange(low, high, dtype=torch.float32) + 0.5) / len(probability)
    value = float((inside * centers).sum() / inside.sum())
    return value, peak, float(inside.sum() / total)


def load_localizer(folder: Path) -> Localizer:
    """Load a localizer from the folder that `save_pretrained` wrote."""
    localizer: Localizer = Localizer.from_pretrained(folder, dtype=torch.float32)
    localizer.eval()  # type: ignore[no-untyped-call]
    return localizer
