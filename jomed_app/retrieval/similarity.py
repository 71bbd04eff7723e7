"""How alike two images are, on one scale for every search: by the frozen image vectors alone.

Ours. Products of the two heads are not on one scale, and a trained query head moves the query, so a
percentile by the search that found a case cannot be compared with the next one's. Here every case
is placed by its image, whichever search found it, among random pairs of the same collection; and
the collection says itself from where on a case is similar: as near as its own cases are to theirs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jomed_app.retrieval.corpus_view import CorpusView

NUM_MEASURED = 256  # ours: cases of a collection that are measured against the others
LEAST_MEASURED = 20  # ours: of fewer, one in twenty is nobody, and no floor is set
FLOOR_SHARE = 0.05  # ours: of the collection's own cases that lie below the floor


@dataclass(frozen=True, slots=True)
class SimilarityScale:
    """What inner products of frozen image vectors mean in one collection.

    Attributes:
        pairs: (M,) inner products of random pairs of cases of different groups, ascending; M >= 1.
        floor: inner product with the nearest other case that all but `FLOOR_SHARE` of the measured
            cases reach; None where fewer than `LEAST_MEASURED` were measured.
    """

    pairs: NDArray[np.float64]
    floor: float | None

    def percentile(self, score: float) -> float:
        """Return the share of random pairs less alike than `score`, in [0, 100] %."""
        return 100.0 * float(np.searchsorted(self.pairs, score)) / len(self.pairs)

    def is_similar(self, nearest: float) -> bool | None:
        """Whether an image whose nearest case has this product has a similar case here.

        Returns:
            None where the collection is too small to say.
        """
        return None if self.floor is None else nearest >= self.floor


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike a query and the cases found for it are.

    Attributes:
        percentiles: candidate id -> share of random pairs less alike, in [0, 100] %; empty where
            the collection holds no two groups.
        has_similar: whether the nearest case of the collection is a similar one; None where the
            collection is too small to say.
    """

    percentiles: Mapping[str, float]
    has_similar: bool | None


def measure_similarity(corpus: CorpusView) -> SimilarityScale | None:
    """Measure a collection on itself: the same cases of the same collection, always.

    Args:
        corpus: with image vectors; at most `NUM_MEASURED` of its cases are measured, those of
            smallest hash, each with its own group left out.

    Returns:
        None where there are no two cases of different groups.
    """
    hashed = sorted(corpus.ids, key=lambda text: hashlib.sha256(text.encode()).digest())
    sample = hashed[:NUM_MEASURED]
    rows = corpus.vectors_of("image", sample)
    groups = np.array([corpus.candidate(name).group or f"\0{name}" for name in sample])
    pairs = (rows @ rows.T)[groups[:, None] != groups[None, :]]
    if not pairs.size:
        return None
    return SimilarityScale(np.sort(pairs.astype(np.float64)), _floor(corpus, sample, rows))


def _floor(corpus: CorpusView, sample: Sequence[str], rows: NDArray[np.float32]) -> float | None:
    """Return what all but `FLOOR_SHARE` of the sample reach with their nearest other case."""
    if len(sample) < LEAST_MEASURED:
        return None
    nearest = [
        hits[0].retriever_score
        for name, row in zip(sample, rows, strict=True)
        if (hits := corpus.search(row, "image", 1, {name}, {corpus.candidate(name).group}))
    ]
    return float(np.quantile(nearest, FLOOR_SHARE)) if len(nearest) >= LEAST_MEASURED else None


def likeness_of(
    corpus: CorpusView,
    scale: SimilarityScale | None,
    vector: NDArray[np.float32],
    candidate_ids: Collection[str],
    own: Collection[str] = frozenset(),
) -> Likeness:
    """Place the cases found for a query on the scale of their collection.

    Args:
        corpus: that was searched.
        scale: of it.
        vector: (D,) frozen image vector of the query, not moved by a trained head.
        candidate_ids: K cases.
        own: the query's own copies, which are not its nearest case.
    """
    if scale is None:
        return Likeness({}, None)
    names = list(candidate_ids)
    scores = corpus.vectors_of("image", names) @ vector
    nearest = corpus.search(vector, "image", 1, own)
    return Likeness(
        {name: scale.percentile(float(score)) for name, score in zip(names, scores, strict=True)},
        scale.is_similar(nearest[0].retriever_score) if nearest else None,
    )
