"""Tokens of one scale: what a projector that starts afresh learns from soonest."""

from __future__ import annotations

import torch

from jomed_app.models.towers.dinov2 import Dinov2Tower
from jomed_app.models.towers.families import VisionTower
from jomed_app.training.cases.image_set import ImageSet

NUM_PICTURES = 128


@torch.no_grad()
def standardize_tokens(tower: VisionTower, images: ImageSet, *, batch_size: int = 16) -> None:
    """Give a tower's tokens mean 0 and deviation 1 in every channel, over the first pictures.

    Ours: most channels of DINOv2 lie a deviation or more off zero whatever the picture, and they
    differ in scale. Folded into its last normalization, so that all that reads tokens or maps sees
    the same and an answer costs no more. A tower without one is left as it is.

    Args:
        tower: changed in place.
        images: of the kind that will be read; labels are not looked at.
        batch_size: pictures at a time.
    """
    if not isinstance(tower, Dinov2Tower):
        return
    count = min(NUM_PICTURES, len(images.squares))
    seen = torch.cat(
        [
            tower(
                images.pixel_values(range(first, min(first + batch_size, count)))
            ).last_hidden_state
            for first in range(0, count, batch_size)
        ]
    )
    tower.rescale_tokens(seen.mean((0, 1)), seen.std((0, 1)))
