"""The map of the collection as an SVG: a mark a case, its shape and colour those of its label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jomed_app.evaluation.collection.map import CollectionMap
from jomed_app.ui.templates import Panel

SIZE = 560  # px of the drawing's own coordinates
MARGIN = 12
# One path a label, around (0, 0); shapes and not colours alone tell labels apart.
SHAPES = (
    "M-3.6 0a3.6 3.6 0 1 0 7.2 0a3.6 3.6 0 1 0-7.2 0z",
    "M0-4.6L4.2 3H-4.2z",
    "M-3.2-3.2H3.2V3.2H-3.2z",
    "M0-4.6L4.2 0L0 4.6L-4.2 0z",
    "M-4-1H-1V-4H1V-1H4V1H1V4H-1V1H-4z",
)


@dataclass(frozen=True, slots=True)
class Layer:
    """The cases of one label.

    Attributes:
        label: its name; more labels than shapes share the last one.
        mark: number of its shape and colour, from 1.
        shape: SVG path.
        places: where its cases lie, px.
    """

    label: str
    mark: int
    shape: str
    places: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Map(Panel):
    """The map.

    Attributes:
        layers: one a label, in the task's order.
        first, second: share of the variance along each axis, in percent.
        shown, cases: how many cases are drawn, of how many.
    """

    layers: tuple[Layer, ...]
    first: float
    second: float
    shown: int
    cases: int

    @classmethod
    def of(cls, drawn: CollectionMap, labels: Sequence[str], order: Sequence[str]) -> Map:
        """Return the map of a collection.

        Args:
            drawn: from `map_collection`.
            labels: of all N cases, in the order of the index.
            order: labels as they are shown; others follow.
        """
        names = [name for name in order if name in labels]
        names += sorted(set(labels) - set(names))
        scale = SIZE - 2 * MARGIN
        layers = []
        for place, name in enumerate(names):
            mark = min(place, len(SHAPES) - 1)
            places = tuple(
                (round(MARGIN + scale * float(x), 1), round(MARGIN + scale * (1 - float(y)), 1))
                for row, (x, y) in zip(drawn.rows, drawn.points, strict=True)
                if labels[row] == name
            )
            layers.append(Layer(name, mark + 1, SHAPES[mark], places))
        first, second = (100 * share for share in drawn.spread)
        return cls(tuple(layers), first, second, len(drawn.rows), len(labels))

    @property
    def size(self) -> int:
        """Width and height, px."""
        return SIZE
