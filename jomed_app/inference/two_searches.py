"""Both searches of one query: the one that is read, and what the other would have shown."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from jomed_app.models.retriever.protocol import Retriever
from jomed_app.retrieval.index import CandidateIndex
from jomed_app.retrieval.search import Hit, deep_ranks, find_candidates
from jomed_app.types import DroppedCandidate, Head, Retrieval

RETRIEVALS: tuple[Retrieval, ...] = ("joint", "standard")
COMPARED_DEPTH = 50  # hits of each head beyond which a candidate has no place


@dataclass(frozen=True, slots=True)
class Searched:
    """What one search found, seen from the other.

    Attributes:
        hits: best first.
        vectors: per head the (D,) query vector that found them.
        other_ranks: candidate id -> place in the other search, for those that have one.
        dropped: what the other search shows and this one does not, best first.
    """

    hits: list[Hit]
    vectors: Mapping[Head, NDArray[np.float32]]
    other_ranks: Mapping[str, int]
    dropped: tuple[DroppedCandidate, ...] = ()


def search_both(
    retriever: Retriever,
    index: CandidateIndex,
    view: Tensor,
    *,
    retrieval: Retrieval,
    k_per_head: Mapping[Retrieval, int],
    k: int | None = None,
    own: Collection[str] = frozenset(),
) -> Searched:
    """Search with the trained query heads and by similarity alone, and compare.

    Source: arXiv:2508.17394 compares its jointly optimised retriever with standard RAG in numbers;
    ours shows the difference for one query.

    Args:
        retriever: encodes the query both ways.
        index: what is searched.
        view: of the query, by this retriever.
        retrieval: the search that will be read.
        k_per_head: hits of each head, by search.
        k: candidates to show, about half from each head; None follows `k_per_head`.
        own: candidates left out, the query's own copies.
    """

    def search(each: Retrieval) -> tuple[list[Hit], dict[Head, NDArray[np.float32]]]:
        vectors = retriever.query_vectors(view, trained=each == "joint")
        wanted = k_per_head[each] if k is None else max(1, (k + 1) // 2)
        return find_candidates(index, vectors, wanted, exclude_ids=own)[:k], vectors

    hits, vectors = search(retrieval)
    if not retriever.has_trained_heads:
        return Searched(hits, vectors, {hit.candidate_id: hit.rank for hit in hits})
    others, other_vectors = search("standard" if retrieval == "joint" else "joint")
    shown = {hit.candidate_id for hit in hits}
    return Searched(
        hits,
        vectors,
        deep_ranks(index, other_vectors, others, COMPARED_DEPTH, own),
        tuple(
            DroppedCandidate(
                candidate_id=hit.candidate_id,
                rank=hit.rank,
                label=index.candidate(hit.candidate_id).label,
            )
            for hit in others
            if hit.candidate_id not in shown
        ),
    )
