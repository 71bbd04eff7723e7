"""Where a result's boxes stand in the exported picture, which is the part that was read."""

from __future__ import annotations

from dataclasses import dataclass

from jomed_app.boxes import Box
from jomed_app.export.saved import SavedResult
from jomed_app.types import BoxResult, Region


@dataclass(frozen=True, slots=True)
class Placed:
    """A box of a result on an exported picture.

    Attributes:
        box: px of that picture; what lies outside of it is cut off.
        found: as the result has it, px of the file.
    """

    box: Box
    found: BoxResult

    @property
    def label(self) -> str:
        """What it outlines."""
        return self.found.label

    @property
    def score(self) -> float:
        """How sure the model is of it, in [0, 1]."""
        return self.found.score


def region_of(saved: SavedResult) -> Region:
    """Return the part of the file's picture that was read; all of it in results before /3."""
    info = saved.result.input
    return info.region or Region.of_whole(info.rows, info.columns)


def step_of(saved: SavedResult) -> tuple[float, float]:
    """Return px of the file along a (row, column) of the exported picture; 1 where not reduced."""
    region = region_of(saved)
    return (
        (region.y1 - region.y0) / saved.query.rows,
        (region.x1 - region.x0) / saved.query.columns,
    )


def spacing_mm(saved: SavedResult) -> tuple[float, float] | None:
    """Return (row, column) mm between px of the exported picture; None where that is unknown."""
    spacing = region_of(saved).spacing_mm
    if spacing is None:
        return None
    down, across = step_of(saved)
    return spacing[0] * down, spacing[1] * across


def placed_boxes(saved: SavedResult) -> tuple[Placed, ...]:
    """Return the boxes of a result on its exported picture, in the result's order."""
    found = (_placed(each, saved) for each in saved.result.boxes)
    return tuple(each for each in found if each is not None)


def _placed(each: BoxResult, saved: SavedResult) -> Placed | None:
    region, (down, across) = region_of(saved), step_of(saved)
    box = Box(each.x0, each.y0, each.x1, each.y1).shifted(-region.x0, -region.y0)
    inside = box.scaled(1 / across, 1 / down).clipped(saved.query.columns, saved.query.rows)
    return None if inside is None else Placed(inside, each)
