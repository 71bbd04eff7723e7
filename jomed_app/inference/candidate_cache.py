"""Candidates encoded before: a known case is looked at once, however often it is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from jomed_app.models.pixels import letterbox, to_pixel_values
from jomed_app.models.reader.packed import CandidateInput, ImageEncoding, Reader
from jomed_app.retrieval.corpus_view import CorpusView
from jomed_app.retrieval.index import CandidateIndex

BATCH_SIZE = 16


def encode_images(reader: Reader, images: Sequence[NDArray[np.uint8]]) -> list[ImageEncoding]:
    """Letterbox and encode (rows, columns, 3) uint8 images."""
    squares = [letterbox(image, reader.image_size) for image in images]
    return reader.encode_pixels(to_pixel_values(squares))


class CandidateCache:
    """Holds what the reader needs of each candidate: about 20 kB each with the embedded bundle.

    Args:
        reader: prepares candidates.
        corpus: their labels and passages.
        encode: ids, at most `BATCH_SIZE` at once -> their images as the reader sees them.
    """

    def __init__(
        self,
        reader: Reader,
        corpus: CorpusView,
        encode: Callable[[Sequence[str]], Sequence[ImageEncoding]],
    ) -> None:
        self._reader = reader
        self._corpus = corpus
        self._encode = encode
        self._held: dict[str, CandidateInput] = {}

    @classmethod
    def of_index(cls, reader: Reader, index: CandidateIndex) -> CandidateCache:
        """Encode the thumbnails of an index."""

        def encode(ids: Sequence[str]) -> list[ImageEncoding]:
            return encode_images(reader, [index.image(each) for each in ids])

        return cls(reader, index, encode)

    def inputs(self, ids: Sequence[str]) -> list[CandidateInput]:
        """Return the candidates of these ids, encoding those that are not held yet."""
        missing = [each for each in dict.fromkeys(ids) if each not in self._held]
        for start in range(0, len(missing), BATCH_SIZE):
            batch = missing[start : start + BATCH_SIZE]
            for each, encoding in zip(batch, self._encode(batch), strict=True):
                record = self._corpus.candidate(each)
                features = self._reader.pool_features(encoding.features)
                self._held[each] = CandidateInput(features, record.label, record.passage)
        return [self._held[each] for each in ids]

    def warm(self, limit: int | None = None, cancel: Callable[[], bool] | None = None) -> int:
        """Encode the corpus's first candidates; return how many are held.

        Args:
            limit: so many; None takes all.
            cancel: asked before every `BATCH_SIZE` of them.
        """
        ids = self._corpus.ids[:limit]
        for start in range(0, len(ids), BATCH_SIZE):
            if cancel is not None and cancel():
                break
            self.inputs(ids[start : start + BATCH_SIZE])
        return len(self._held)
