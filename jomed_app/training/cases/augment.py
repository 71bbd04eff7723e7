"""Random views of letterboxed squares, boxes moved along."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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


@dataclass(frozen=True, slots=True)
class Motion:
    """How each of B images is seen: all (B,).

    Attributes:
        across, down: scale of width and height, `across` < 0 mirrors.
        move_x, move_y: shift as a share of the side.
        gamma, gain: of the gray levels.
    """

    across: Tensor
    down: Tensor
    move_x: Tensor
    move_y: Tensor
    gamma: Tensor
    gain: Tensor

    @classmethod
    def joined(cls, motions: Sequence[Motion]) -> Motion:
        """Those of several images behind one another."""
        return cls(*(torch.cat([getattr(m, name) for m in motions]) for name in cls.__slots__))


def draw_motion(
    count: int,
    generator: torch.Generator,
    *,
    zoom: float = 0.2,
    shift: float = 0.1,
    contrast: float = 0.25,
    flip: bool = True,
    stretch: float = 0.0,
) -> Motion:
    """Draw how images are seen; see `random_view` for the limits."""

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(count, generator=generator) * (high - low) + low

    scale = 1.0 + uniform(-zoom, zoom)
    mirrored = (uniform(0, 1) < 0.5) & flip
    sign = torch.where(mirrored, -1.0, 1.0)
    move_x, move_y = uniform(-shift, shift), uniform(-shift, shift)
    wider = 1.0 + uniform(-stretch, stretch) if stretch else torch.ones(count)
    gamma = 1.0 + uniform(-contrast, contrast)
    gain = 1.0 + uniform(-contrast, contrast)
    return Motion(sign * scale * wider, scale / wider, move_x, move_y, gamma, gain)


def move(pixel_values: Tensor, boxes: Tensor, motion: Motion) -> View:
    """See (B, 3, S, S) pixels and (B, ..., 4) boxes as a motion says."""
    theta = torch.zeros(len(pixel_values), 2, 3)
    theta[:, 0, 0], theta[:, 0, 2] = 1 / motion.across, -2 * motion.move_x / motion.across
    theta[:, 1, 1], theta[:, 1, 2] = 1 / motion.down, -2 * motion.move_y / motion.down
    unit = (pixel_values + 127 / 128) / 2
    grid = functional.affine_grid(theta, list(unit.shape), align_corners=False)
    unit = functional.grid_sample(unit, grid, align_corners=False)
    gamma, gain = motion.gamma[:, None, None, None], motion.gain[:, None, None, None]
    unit = (unit.clamp(0, 1).pow(gamma) * gain).clamp(0, 1)
    return View(unit * 2 - 127 / 128, move_boxes(boxes, motion))


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
    motion = draw_motion(
        len(pixel_values),
        generator,
        zoom=zoom,
        shift=shift,
        contrast=contrast,
        flip=flip,
        stretch=stretch,
    )
    return move(pixel_values, boxes, motion)


def view_batches(
    images: ImageSet, view: int, generator: torch.Generator, batch_size: int
) -> Iterator[View]:
    """One view of every image, batch by batch: number 0 is the image itself, others are random."""
    for start in range(0, len(images.squares), batch_size):
        rows = range(start, min(start + batch_size, len(images.squares)))
        seen = View(images.pixel_values(rows), images.boxes[rows.start : rows.stop])
        yield random_view(seen.pixel_values, seen.boxes, generator) if view else seen


def move_boxes(boxes: Tensor, motion: Motion) -> Tensor:
    """Apply out = center + scale * (in - center) + move; clip; drop what left the view."""
    named = (motion.across, motion.down, motion.move_x, motion.move_y)
    across, down, move_x, move_y = (each.view(-1, *[1] * (boxes.ndim - 1)) for each in named)
    xs = 0.5 + (boxes[..., 0::2] - 0.5) * across + move_x
    ys = 0.5 + (boxes[..., 1::2] - 0.5) * down + move_y
    xs, ys = xs.sort(dim=-1).values, ys.sort(dim=-1).values
    full = (xs[..., 1] - xs[..., 0]) * (ys[..., 1] - ys[..., 0])
    xs, ys = xs.clamp(0, 1), ys.clamp(0, 1)
    visible = (xs[..., 1] - xs[..., 0]) * (ys[..., 1] - ys[..., 0])
    moved = torch.stack([xs[..., 0], ys[..., 0], xs[..., 1], ys[..., 1]], dim=-1)
    return torch.where((visible > 0.25 * full)[..., None], moved, torch.nan)
