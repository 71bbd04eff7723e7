"""What a figure of a report is: how probabilities tell it, and where a task's page shows it.

A figure is a function in `evaluation/metrics/` and a field of `report.schema.SystemReport` that is
annotated with a `Figure`. The field's order is the column's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from numpy.typing import ArrayLike
from pydantic import BaseModel

Table = Literal["results", "operating", "probabilities", "consistency", "localization"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a system.

    Attributes:
        title: of its column; {positive} stands for the positive label.
        table: of the page on which the column stands.
        measure: (N, C) probabilities and (N,) labels to the figure, NaN where the cases do not
            define it; None for a figure that needs more than probabilities.
        of_positive: whether `measure` takes the positive label's index too.
        more: what `measure` takes after that, such as a target.
        digits: behind the point.
    """

    title: str
    table: Table
    measure: Callable[..., float] | None = None
    of_positive: bool = False
    more: tuple[float, ...] = ()
    digits: int = 3


def figures_of(report: type[BaseModel], table: Table | None = None) -> dict[str, Figure]:
    """The figures that a report's fields declare, by field.

    Args:
        report: the schema.
        table: None takes all.
    """
    return {
        name: each
        for name, field in report.model_fields.items()
        for each in field.metadata
        if isinstance(each, Figure) and table in (None, each.table)
    }


def measured(
    report: type[BaseModel], probabilities: ArrayLike, labels: ArrayLike, positive: int
) -> dict[str, float | None]:
    """Every figure that probabilities alone tell, by field; None where the cases do not define it.

    Args:
        report: the schema.
        probabilities: (N, C), rows summing to 1.
        labels: (N,) in [0, C).
        positive: index of the positive label.
    """
    found = {
        name: figure.measure(
            probabilities, labels, *([positive] if figure.of_positive else []), *figure.more
        )
        for name, figure in figures_of(report).items()
        if figure.measure is not None
    }
    return {name: None if math.isnan(value) else value for name, value in found.items()}
