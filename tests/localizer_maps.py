"""A small localizer and the stride-8 maps of three cases: one lesion, two lesions, none."""

from __future__ import annotations

import torch
from torch import Tensor

from jomed_app.models.localizer.localizer import Localizer
from tests.tiny_bundle import build_tiny_localizer

CELLS, CHANNELS = 20, 4


def tiny_maps() -> tuple[Localizer, Tensor, Tensor, Tensor]:
    """Localizer, maps (1, 3, C8, h, w), boxes (1, 3, 2, 4) and labels (3,)."""
    torch.manual_seed(0)
    localizer = build_tiny_localizer().eval()
    maps = torch.randn(1, 3, CHANNELS, CELLS, CELLS, generator=torch.Generator().manual_seed(0))
    none = [torch.nan] * 4
    box, other = [0.0, 0.0, 0.5, 0.5], [0.6, 0.6, 0.9, 0.9]
    boxes = torch.tensor([[[box, none], [box, other], [none, none]]])
    return localizer, maps.to(torch.bfloat16), boxes, torch.tensor([1, 2, 0])
