"""Candidates encoded before: a known case is looked at once, however often it is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jomed_app.models.reader.protocol import CandidateInput, Encoding, Reader
from jomed_app.retrieval.corpus_view import CorpusView
from jomed_app.retrieval.index import CandidateIndex

BATCH_SIZE = 16
MOST_BYTES = 2**30  # ours: a large model's images are megabytes each, and an index may be long


class CandidateCache:
    """Holds what the reader needs of each candidate: about 20 kB each with the embedded bundle.

    What was not asked for longest is dropped where all would take more than `MOST_BYTES`.

    Args:
        reader: prepares candidates.
        corpus: their labels and passages.
        encode: ids, at most `BATCH_SIZE` at once -> their images as the reader sees them.
    """

    def __init__(
        self,
        reader: Reader,
        corpus: CorpusView,
        encode: Callable[[Sequence[str]], Sequence[Encoding]],
    ) -> None:
        self._reader = reader
        self._corpus = corpus
        self._encode = encode
        self._held: dict[str, CandidateInput] = {}  # what was asked for last stands last
        self._bytes = 0

    @classmethod
    def of_index(cls, reader: Reader, index: CandidateIndex) -> CandidateCache:
        """Encode the thumbnails of an index."""

        def encode(ids: Sequence[str]) -> Sequence[Encoding]:
            return reader.encode([index.image(each) for each in ids])

        return cls(reader, index, encode)

    def inputs(self, ids: Sequence[str]) -> list[CandidateInput]:
        """Return the candidates of these ids, encoding those that are not held yet."""
        found = {each: self._held[each] for each in ids if each in self._held}
        missing = [each for each in dict.fromkeys(ids) if each not in found]
        for start in range(0, len(missing), BATCH_SIZE):
            batch = missing[start : start + BATCH_SIZE]
            for each, encoding in zip(batch, self._encode(batch), strict=True):
                record = self._corpus.candidate(each)
                found[each] = self._reader.candidate(encoding, record.label, record.passage)
        for each, candidate in found.items():
            self._hold(each, candidate)
        return [found[each] for each in ids]

    def _hold(self, candidate_id: str, candidate: CandidateInput) -> None:
        """Hold a candidate as the last that was asked for; drop the first ones beyond the limit."""
        if self._held.pop(candidate_id, None) is None:
            self._bytes += self._reader.num_bytes(candidate)
        self._held[candidate_id] = candidate
        while self._bytes > MOST_BYTES and len(self._held) > 1:
            dropped = self._held.pop(next(iter(self._held)))
            self._bytes -= self._reader.num_bytes(dropped)

    def warm(self, limit: int | None = None, cancel: Callable[[], bool] | None = None) -> int:
        """Encode the first candidates, till half of the memory is taken; return how many are held.

        Args:
            limit: so many; None takes all.
            cancel: asked before every `BATCH_SIZE` of them.
        """
        ids = self._corpus.ids[:limit]
        for start in range(0, len(ids), BATCH_SIZE):
            if (cancel is not None and cancel()) or self._bytes > MOST_BYTES / 2:
                break
            self.inputs(ids[start : start + BATCH_SIZE])
        return len(self._held)
