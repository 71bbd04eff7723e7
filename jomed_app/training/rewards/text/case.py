"""A case whose answers are rewarded: its image, and what is true of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from jomed_app.boxes import Box
from jomed_app.models.reader.protocol import RgbImage
from jomed_app.objectives.umed.rewards import Statement


@dataclass(frozen=True, slots=True)
class Truth:
    """What is true of an image.

    Attributes:
        statement: its label and known descriptors.
        boxes: on the unit square of the image; empty where there is no finding, None where none
            was drawn and nothing can be rewarded.
    """

    statement: Statement
    boxes: Sequence[Box] | None


@dataclass(frozen=True, slots=True)
class RewardedCase:
    """One image and what is true of it.

    Attributes:
        image: gives (rows, columns, 3) uint8 when it is needed.
        label: of the case.
        descriptors: known ones.
        boxes: on the unit square of the image, largest first; empty where there is no finding,
            None where none was drawn.
    """

    image: Callable[[], RgbImage]
    label: str
    descriptors: Mapping[str, str]
    boxes: Sequence[Box] | None

    @property
    def truth(self) -> Truth:
        """What answers are compared with."""
        return Truth(Statement(self.label, self.descriptors), self.boxes)
