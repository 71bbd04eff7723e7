"""Random views of letterboxed squares, boxes moved along."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from jomed_app.training.cases.image_set import ImageSet


@dataclass(frozen=True, slots=True)
class View:
    """Augmented pixels and boxes.

    Attributes:
        pixel_values: (B, 3, S, S) scaled as the tower expects.
        boxes: (B, 4) XYXY on the unit square, NaN where there is no box or it left the view.
    """

    pixel_values: Tensor
    boxes: Tensor


def random_view(
    pixel_values: Tensor,
    boxes: Tensor,
    generator: torch.Generator,
    *,
    zoom: float = 0.2,
    shift: float = 0.1,
    contrast: float = 0.25,
    flip: bool = True,
    stretch: float = 0.0,
) -> View:
    """Flip left to right, zoom, shift and change gain and gamma, each image on its own.

    Ultrasound is never flipped upside down: depth runs downwards.

    Args:
        pixel_values: (B, 3, S, S) scaled as the tower expects, black is -127/128.
        boxes: (B, 4) XYXY on the unit square, NaN for none.
        generator: source of randomness.
        zoom: largest relative change of scale.
        shift: largest shift as a share of the side.
        contrast: largest relative change of gain; gamma moves by the same share.
        flip: whether half of the images are mirrored.
        stretch: largest relative change of the width, and of the height the other way.

    Returns:
        The view; a box keeps its visible part and is dropped when less than a quarter is left.
    """
    count = pixel_values.shape[0]

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(count, generator=generator) * (high - low) + low

    scale = 1.0 + uniform(-zoom, zoom)
    mirrored = (uniform(0, 1) < 0.5) & flip
    sign = torch.where(mirrored, -1.0, 1.0)
    move_x, move_y = uniform(-shift, shift), uniform(-shift, shift)
    theta = torch.zeros(count, 2, 3)
    wider = 1.0 + uniform(-stretch, stretch) if stretch else torch.ones(count)
    across, down = sign * scale * wider, scale / wider
    theta[:, 0, 0], theta[:, 0, 2] = 1 / across, -2 * move_x / across
    theta[:, 1, 1], theta[:, 1, 2] = 1 / down, -2 * move_y / down
    unit = (pixel_values + 127 / 128) / 2
    grid = functional.affine_grid(theta, list(unit.shape), align_corners=False)
    unit = functional.grid_sample(unit, grid, align_corners=False)
    gamma = (1.0 + uniform(-contrast, contrast))[:, None, None, None]
    gain = (1.0 + uniform(-contrast, contrast))[:, None, None, None]
    unit = (unit.clamp(0, 1).pow(gamma) * gain).clamp(0, 1)
    return View(unit * 2 - 127 / 128, _moved_boxes(boxes, across, down, move_x, move_y))


def view_batches(
    images: ImageSet, view: int, generator: torch.Generator, batch_size: int
) -> Iterator[View]:
    """One view of every image, batch by batch: number 0 is the image itself, others are random."""
    for start in range(0, len(images.squares), batch_size):
        rows = range(start, min(start + batch_size, len(images.squares)))
        seen = View(images.pixel_values(rows), images.boxes[rows.start : rows.stop])
        yield random_view(seen.pixel_values, seen.boxes, generator) if view else seen


def _moved_boxes(
    boxes: Tensor, across: Tensor, down: Tensor, move_x: Tensor, move_y: Tensor
) -> Tensor:
    """Apply out = center + scale * (in - center) + move; clip; drop what left the view."""
    each = [value.view(-1, *[1] * (boxes.ndim - 1)) for value in (across, down, move_x, move_y)]
    across, down, move_x, move_y = each
    xs = 0.5 + (boxes[..., 0::2] - 0.5) * across + move_x
    ys = 0.5 + (boxes[..., 1::2] - 0.5) * down + move_y
    xs, ys = xs.sort(dim=-1).values, ys.sort(dim=-1).values
    full = (xs[..., 1] - xs[..., 0]) * (ys[..., 1] - ys[..., 0])
    xs, ys = xs.clamp(0, 1), ys.clamp(0, 1)
    visible = (xs[..., 1] - xs[..., 0]) * (ys[..., 1] - ys[..., 0])
    moved = torch.stack([xs[..., 0], ys[..., 0], xs[..., 1], ys[..., 1]], dim=-1)
    return torch.where((visible > 0.25 * full)[..., None], moved, torch.nan)
