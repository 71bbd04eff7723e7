"""The localizer: where on the image a finding lies, from a larger input than the reader's.

It goes on from a tower's start map, which no training changes (`early`), through stages that may
learn (`stages`); what both are is the tower's affair. EfficientNet-Lite gives a copy of its first
stages, and its later ones learn to find; DINOv2 is lent by the reader, and its maps are read as
they are. Two read-outs share one map: a dense head (`DenseHead`), the
specialist detector with the same tower, and location queries (`EdgeQueries`), whose answer is
written in the reader's location tokens. Ours: the reader's own location tokens need far more
training than a laptop gives to be worth drawing (both are measured in the report).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedConfig, PreTrainedModel

from jomed_app.errors import BundleError
from jomed_app.models.localizer.dense_head import DenseBoxes, DenseHead, conv_block, edge_prior
from jomed_app.models.localizer.detection import Detection, join_readings
from jomed_app.models.localizer.edge_queries import EdgeQueries
from jomed_app.models.pixels import to_pixel_values
from jomed_app.models.towers.efficientnet_lite import EfficientNetLiteConfig
from jomed_app.models.towers.families import VisionTower, finding_parts, tower_config

SCORE_BIAS = -4.0  # few cells are sure before training
EARLY = "early."  # names of the weights that a localizer may take from a tower


class LocalizerConfig(PreTrainedConfig):
    """Shape of the localizer.

    Attributes:
        image_size: side of the square input, px, a multiple of the tower's coarsest stride.
        tower: shape of the tower that it goes on from, as plain values; empty stands for
            EfficientNet-Lite.
        tower_width: channel multiplier of that EfficientNet-Lite.
        width: channels inside, a multiple of 24.
        stride: of the map that both read-outs see, px: of one of the tower's maps.
        num_labels: classes, those without a finding included.
        empty_labels: positions of the classes without a finding.
        location_bins: bins per axis; distance_bins: bins of a distance in the dense head.
        reach: longest distance of the dense head, share of the side.
        num_layers: rounds in which the queries look at the map.
        use_prior: whether the queries see the dense head's boxes.
    """

    model_type = "jomed_localizer"

    image_size: int = 320
    tower: dict[str, Any] | None = None
    tower_width: float = 1.0
    width: int = 96
    stride: int = 16
    num_labels: int = 3
    empty_labels: tuple[int, ...] | list[int] = (0,)
    location_bins: int = 64
    distance_bins: int = 24
    reach: float = 0.8
    num_layers: int = 2
    use_prior: bool = True

    def __post_init__(self, **kwargs: object) -> None:
        super().__post_init__(**kwargs)  # type: ignore[no-untyped-call]
        strides = self.tower_shape.map_strides
        if self.image_size % strides[0]:
            raise ValueError(
                f"image_size must be a multiple of {strides[0]}, found {self.image_size}"
            )
        if self.stride not in strides:
            known = " or ".join(map(str, sorted(strides)))
            raise ValueError(f"stride must be {known}, found {self.stride}")
        if self.width % 24:
            raise ValueError(f"width must be a multiple of 24, found {self.width}")

    @property
    def tower_shape(self) -> Any:
        """Configuration of the tower that the localizer goes on from."""
        if self.tower:
            return tower_config(self.tower)
        return EfficientNetLiteConfig(width=self.tower_width)


@dataclass(frozen=True, slots=True)
class LocalizerOutput:
    """What both read-outs say.

    Attributes:
        edge_logits: (B, 4, L) in the order x0, y0, x1, y1.
        class_logits: (B, C).
        attention: (B, P) of the class query over the map, each row sums to 1.
        dense: of the dense head.
    """

    edge_logits: Tensor
    class_logits: Tensor
    attention: Tensor
    dense: DenseBoxes


class Localizer(PreTrainedModel):
    """Image, or its start map -> edge distributions, class, dense boxes."""

    config_class = LocalizerConfig
    config: LocalizerConfig
    main_input_name = "early"

    def __init__(self, config: LocalizerConfig) -> None:
        super().__init__(config)
        shape, width = config.tower_shape, config.width
        self.early, self.stages = finding_parts(shape)
        laterals = shape.map_channels[: shape.map_strides.index(config.stride) + 1]
        self.laterals = nn.ModuleList(nn.Conv2d(each, width, 1) for each in laterals)
        self.context = nn.Linear(width, width)
        self.smooth = nn.ModuleList(conv_block(width, width) for _ in laterals)
        self.dense = DenseHead(width, config.num_labels, config.distance_bins, config.reach)
        self.queries = EdgeQueries(
            width, config.num_labels, config.location_bins, config.num_layers
        )
        self.post_init()  # type: ignore[no-untyped-call]

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, EdgeQueries):
            nn.init.trunc_normal_(module.queries, std=0.02)
        elif isinstance(module, DenseHead):
            for layer in (module.judge, module.measure):
                nn.init.normal_(layer.weight, std=0.01)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
            if module.judge.bias is not None:
                nn.init.constant_(module.judge.bias[:1], SCORE_BIAS)

    def start_from(self, tower: VisionTower) -> None:
        """Take a tower's first part, and start the later stages from what it knows."""
        self.early.take(tower)
        self.stages.take(tower)

    def join_maps(self, early: Tensor) -> Tensor:
        """Return the map (B, width, h, w) that both read-outs see: deep features, finer added."""
        deepest, *maps = self.stages(early)
        joined: Tensor = self.laterals[0](deepest)
        joined = joined + self.context(joined.mean((2, 3)))[:, :, None, None]
        joined = self.smooth[0](joined)
        levels = zip(self.laterals[1:], self.smooth[1:], maps, strict=False)
        for lateral, smooth, finer in levels:
            raised = functional.interpolate(joined, scale_factor=2.0, mode="bilinear")
            joined = smooth(raised + lateral(finer))
        return joined

    def forward(self, early: Tensor) -> LocalizerOutput:
        """Read out.

        Args:
            early: (B, C, h, w) start map of the tower.
        """
        joined = self.join_maps(early.contiguous(memory_format=torch.channels_last))
        dense = self.dense(joined)
        asked = ask_map(
            self.queries, self.config, joined, dense.scores.detach(), dense.boxes.detach()
        )
        return LocalizerOutput(*asked, dense)

    @torch.inference_mode()
    def find(self, squares: Sequence[NDArray[np.uint8]]) -> list[Detection]:
        """Find what every image shows.

        Args:
            squares: letterboxed (S, S, 3) images, S as configured.
        """
        pixels = to_pixel_values(squares).to(self.device, self.dtype)
        return self.find_in_maps(self.early(pixels))

    @torch.inference_mode()
    def find_in_maps(self, early: Tensor) -> list[Detection]:
        """Find what every image shows, from start maps (B, C, h, w)."""
        return self.read_out(self(early))

    def read_out(self, said: LocalizerOutput) -> list[Detection]:
        """Join what both read-outs say of B images, image by image."""
        rows = zip(
            said.edge_logits.float().softmax(-1),
            said.class_logits.float().softmax(-1),
            said.attention.unflatten(1, (self.grid, self.grid)),
            said.dense.boxes,
            said.dense.scores.sigmoid(),
            strict=True,
        )
        return [join_readings(*row, list(self.config.empty_labels)) for row in rows]

    @property
    def grid(self) -> int:
        """Cells per side of the map that both read-outs see."""
        return self.config.image_size // self.config.stride


def ask_map(
    queries: EdgeQueries, config: LocalizerConfig, joined: Tensor, scores: Tensor, boxes: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Let the queries ask a map: edge logits, class logits, attention (see `EdgeQueries`).

    Args:
        queries: of a localizer of this configuration.
        config: says whether the dense head's boxes are a prior.
        joined: (B, width, h, w) of `Localizer.join_maps`.
        scores: (B, h * w) logits of the dense head.
        boxes: (B, h * w, 4) of it.
    """
    prior = edge_prior(boxes, scores, config.location_bins) if config.use_prior else None
    edges, classes, attention = queries(joined, scores, prior)
    return edges, classes, attention


def load_localizer(
    folder: Path,
    dtype: torch.dtype = torch.float32,
    tower: VisionTower | None = None,
) -> Localizer:
    """Load a localizer from the folder that `save_pretrained` wrote.

    Args:
        folder: of the localizer.
        dtype: that it runs in.
        tower: whose first part it takes where the folder holds none; without it, such a localizer
            reads start maps only.

    Raises:
        BundleError: if the folder holds no whole localizer.
    """
    loaded: Any = Localizer.from_pretrained(folder, dtype=dtype, output_loading_info=True)
    localizer: Localizer = loaded[0]
    lacks_early = any(each.startswith(EARLY) for each in loaded[1]["missing_keys"])
    takes_early = tower is not None and (lacks_early or localizer.early.is_lent)
    missing = [
        each for each in loaded[1]["missing_keys"] if not (takes_early and each.startswith(EARLY))
    ]
    if missing:
        raise BundleError(
            f"a localizer must hold all its weights, '{min(missing)}' is missing in "
            f"'{folder.name}'; train it, or export the bundle, again"
        )
    if takes_early:
        localizer.early.take(tower)
    localizer.early.requires_grad_(False)
    localizer.to(memory_format=torch.channels_last)  # type: ignore[call-arg]
    localizer.eval()  # type: ignore[no-untyped-call]
    return localizer
