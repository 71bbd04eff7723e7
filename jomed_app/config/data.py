"""Configuration of what weights may learn from: a share of the labels, classes, licences."""

from __future__ import annotations

from pydantic import Field

from jomed_app.config.section import Section


class DataConfig(Section):
    """Whose labels weights may learn; all other cases stay available as an index.

    Attributes:
        labels_share: share of each class's groups whose labels (and boxes) any stage learns from;
            0 leaves the weights to simulated cases alone.
        labels_seed: of the draw; a smaller share of one seed is part of a larger one.
        left_out: a class that no weight learns, of real or simulated cases; empty for none.
        noncommercial: whether sets that are published for non-commercial use may be learned from.
    """

    labels_share: float = Field(default=1.0, ge=0.0, le=1.0)
    labels_seed: int = Field(default=0, ge=0)
    left_out: str = ""
    noncommercial: bool = True
