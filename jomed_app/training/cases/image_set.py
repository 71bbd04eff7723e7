"""Cases with their images in memory, letterboxed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from jomed_app.data.records import CaseRecord
from jomed_app.imaging import read_image
from jomed_app.models.pixels import Letterbox, letterbox, to_pixel_values


@dataclass(frozen=True, slots=True)
class ImageSet:
    """Cases with their images in memory.

    Attributes:
        records: the cases.
        squares: letterboxed (S, S, 3) uint8 image per case.
        boxes: (N, 4) largest box of each case on the unit square, NaN for none.
        annotated: (N,) whether "none" is known rather than never drawn; None means all are.
    """

    records: Sequence[CaseRecord]
    squares: Sequence[NDArray[np.uint8]]
    boxes: Tensor
    annotated: Tensor | None = None

    def pixel_values(self, indices: Sequence[int]) -> Tensor:
        """(B, 3, S, S) of the cases at these positions."""
        return to_pixel_values([self.squares[index] for index in indices])

    def subset(self, rows: Sequence[int]) -> ImageSet:
        """The cases at these positions."""
        return ImageSet(
            [self.records[row] for row in rows],
            [self.squares[row] for row in rows],
            self.boxes[list(rows)],
            self.is_annotated()[list(rows)],
        )

    def is_annotated(self) -> Tensor:
        """(N,) bool."""
        if self.annotated is None:
            return torch.ones(len(self.records), dtype=torch.bool)
        return self.annotated


def load_images(folder: Path, records: Sequence[CaseRecord], side: int) -> ImageSet:
    """Read and letterbox the images of a corpus."""
    squares: list[NDArray[np.uint8]] = []
    boxes = torch.full((len(records), 4), torch.nan)
    for row, record in enumerate(records):
        image = read_image(record.image_in(folder), region=None).model_input
        squares.append(letterbox(image, side))
        if record.boxes:
            place = Letterbox(image.shape[0], image.shape[1], side)
            boxes[row] = torch.tensor(place.to_unit(record.box_list[0]).as_tuple())
    return ImageSet(records, squares, boxes)


def join_images(*parts: ImageSet) -> ImageSet:
    """Put sets behind one another."""
    return ImageSet(
        [record for part in parts for record in part.records],
        [square for part in parts for square in part.squares],
        torch.cat([part.boxes for part in parts]),
        torch.cat([part.is_annotated() for part in parts]),
    )
