"""Search with both heads, and the values that searches give: hits."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from jomed_app.errors import ConfigError
from jomed_app.types import Head

_HEAD_ORDER: dict[Head, int] = {"image": 0, "text": 1}


class CaseEncoder(Protocol):
    """What an index needs of a retriever. Vectors are float32; corpus rows have norm 1."""

    @property
    def fingerprint(self) -> str:
        """Names the frozen weights and the image preparation that corpus vectors come from."""

    @property
    def dim(self) -> int:
        """D, numbers per vector."""

    def encode_images(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return (N, D) unit rows for N uint8 RGB (rows, columns, 3) images of any sizes."""

    def encode_passages(self, passages: Sequence[str]) -> NDArray[np.float32]:
        """Return (N, D) unit rows for N passages."""

    def encode_query(self, image: NDArray[np.uint8]) -> dict[Head, NDArray[np.float32]]:
        """Return per head the (D,) query vector of one image; norm at most 1, not rescaled."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A candidate found for one query.

    Attributes:
        candidate_id: case id.
        heads: the searches that found it, image before text.
        retriever_score: inner product in `best_head`; higher is better. Scores of different heads
            are not on one scale: image-image products run higher than image-text ones.
        rank: from 1.
        relative_score: `retriever_score` over the best score of that head for this query, so that
            each head's best hit has 1.0. The original release orders and weights with this.
        best_head: the head in which the candidate stands best, by relative score.
        scores: head -> inner product, for every head in `heads`.
    """

    candidate_id: str
    heads: tuple[Head, ...]
    retriever_score: float
    rank: int
    relative_score: float
    best_head: Head
    scores: Mapping[Head, float] = field(hash=False)


class SearchableIndex(Protocol):
    """The part of `CorpusView` that the merged search uses."""

    def search(
        self,
        vector: NDArray[np.float32],
        head: Head,
        k: int,
        exclude_ids: Collection[str] = frozenset(),
        exclude_groups: Collection[str] = frozenset(),
        exclude_labels: Collection[str] = frozenset(),
    ) -> list[Hit]:
        """Return at most k hits of one head, best first."""


def relative_scores(scores: Sequence[float]) -> list[float]:
    """Divide scores (inner products, best first) by the first; the best becomes 1.0.

    Source: the original JOMED release, fusion weights of its evaluation.
    Ours: where the best is not positive, differences to it stand in (1 + score - best), as a
    quotient would turn the order around.
    """
    if not scores:
        return []
    best = scores[0]
    if best > 1e-6:
        return [score / best for score in scores]
    return [1.0 + score - best for score in scores]


def find_candidates(
    index: SearchableIndex,
    query_vectors: Mapping[Head, NDArray[np.float32]],
    k_per_head: int = 2,
    exclude_ids: Collection[str] = frozenset(),
    exclude_groups: Collection[str] = frozenset(),
    exclude_labels: Collection[str] = frozenset(),
) -> list[Hit]:
    """Search with every head and merge: k_per_head hits of each, duplicates merged.

    Source: the original JOMED release (2 nearest by image, 2 nearest by text).
    Ours: a candidate that several heads find counts once, and the freed places are filled from
    deeper ranks of the heads in turn (image first), so that heads x k_per_head distinct candidates
    come out whenever the corpus holds that many.

    Args:
        index: the index to search.
        query_vectors: per head a (D,) vector; one head may be left out.
        k_per_head: hits wanted of each head, >= 1.
        exclude_ids: candidates never to be found, such as the query itself.
        exclude_groups: groups never to be found, such as the query's patient.
        exclude_labels: candidates of these labels are never found.

    Returns:
        Hits by relative score, highest first; then those that more heads found, image before text,
        and by id. Ranks count from 1.

    Raises:
        ConfigError: if k_per_head < 1 or no head is given.
    """
    if k_per_head < 1 or not query_vectors:
        raise ConfigError(
            "a search needs k_per_head >= 1 and at least one head, "
            f"found k_per_head = {k_per_head} and {len(query_vectors)} heads"
        )
    heads = sorted(query_vectors, key=_HEAD_ORDER.__getitem__)
    wanted = k_per_head * len(heads)
    found = {
        head: index.search(
            query_vectors[head], head, wanted, exclude_ids, exclude_groups, exclude_labels
        )
        for head in heads
    }
    merged = _merge_by_rank(found, k_per_head, wanted)
    ordered = sorted(merged, key=_best_first)
    return [
        Hit(
            candidate_id=hit.candidate_id,
            heads=hit.heads,
            retriever_score=hit.retriever_score,
            rank=rank,
            relative_score=hit.relative_score,
            best_head=hit.best_head,
            scores=hit.scores,
        )
        for rank, hit in enumerate(ordered, start=1)
    ]


def deep_ranks(
    index: SearchableIndex,
    query_vectors: Mapping[Head, NDArray[np.float32]],
    shown: Sequence[Hit],
    depth: int,
    exclude_ids: Collection[str] = frozenset(),
) -> dict[str, int]:
    """Return the place of every candidate when a merged search goes on past what it shows.

    Ours: hits that are shown keep their ranks. Behind them the heads are walked rank by rank, image
    before text, and every candidate not seen yet takes the next place: the order in which
    `find_candidates` fills its free places.

    Args:
        index: the index to search.
        query_vectors: per head a (D,) vector.
        shown: what `find_candidates` gave for these vectors, all or its first hits.
        depth: hits of each head that are walked, >= 1.
        exclude_ids: as in that search.

    Returns:
        Candidate id -> place, from 1.

    Raises:
        ConfigError: if depth < 1.
    """
    heads = sorted(query_vectors, key=_HEAD_ORDER.__getitem__)
    found = [index.search(query_vectors[head], head, depth, exclude_ids) for head in heads]
    places = {hit.candidate_id: hit.rank for hit in shown}
    for hits in zip_longest(*found):
        for hit in hits:
            if hit is not None:
                places.setdefault(hit.candidate_id, len(places) + 1)
    return places


def _best_first(hit: Hit) -> tuple[float, int, int, str]:
    return -hit.relative_score, -len(hit.heads), _HEAD_ORDER[hit.best_head], hit.candidate_id


def _merge_by_rank(found: Mapping[Head, list[Hit]], k_per_head: int, wanted: int) -> list[Hit]:
    """Walk all heads rank by rank until `wanted` distinct candidates were seen."""
    seen: dict[str, list[Hit]] = {}
    for depth in range(wanted):
        if depth >= k_per_head and len(seen) >= wanted:
            break
        for hits in found.values():
            if depth >= len(hits):
                continue
            hit = hits[depth]
            if hit.candidate_id in seen or len(seen) < wanted:
                seen.setdefault(hit.candidate_id, []).append(hit)
    return [_join(hits) for hits in seen.values()]


def _join(hits: list[Hit]) -> Hit:
    """One hit out of the hits of one candidate, one per head."""
    hits = sorted(hits, key=lambda hit: _HEAD_ORDER[hit.best_head])
    best = max(hits, key=lambda hit: hit.relative_score)
    return Hit(
        candidate_id=best.candidate_id,
        heads=tuple(hit.best_head for hit in hits),
        retriever_score=best.retriever_score,
        rank=best.rank,
        relative_score=best.relative_score,
        best_head=best.best_head,
        scores={hit.best_head: hit.retriever_score for hit in hits},
    )
