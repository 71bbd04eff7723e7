"""Candidates encoded before: an index case is looked at once, however often it is read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from jomed_app.inference.case_reader import CaseReader
from jomed_app.models.pixels import letterbox, to_pixel_values
from jomed_app.models.reader.packed import CandidateInput, ImageEncoding, Reader
from jomed_app.retrieval.index import CandidateIndex

BATCH_SIZE = 16


def encode_images(reader: Reader, images: Sequence[NDArray[np.uint8]]) -> list[ImageEncoding]:
    """Letterbox and encode (rows, columns, 3) uint8 images."""
    squares = [letterbox(image, reader.image_size) for image in images]
    return reader.encode_pixels(to_pixel_values(squares))


class CandidateShelf:
    """Holds what the reader needs of each candidate: about 20 kB each with the embedded bundle.

    Args:
        reader: prepares candidates.
        index: where their images lie.
    """

    def __init__(self, reader: CaseReader, index: CandidateIndex) -> None:
        self._reader = reader
        self._index = index
        self._held: dict[str, CandidateInput] = {}

    def inputs(self, ids: Sequence[str]) -> list[CandidateInput]:
        """Return the candidates of these ids, encoding those that are not held yet."""
        missing = [each for each in ids if each not in self._held]
        for start in range(0, len(missing), BATCH_SIZE):
            batch = missing[start : start + BATCH_SIZE]
            images = [self._index.image(each) for each in batch]
            for each, encoding in zip(
                batch, encode_images(self._reader.reader, images), strict=True
            ):
                record = self._index.candidate(each)
                self._held[each] = self._reader.candidate(encoding, record.label, record.passage)
        return [self._held[each] for each in ids]

    def warm(self, limit: int | None = None) -> int:
        """Encode the index's first candidates (all for None); return how many are held."""
        self.inputs(self._index.ids[:limit])
        return len(self._held)
