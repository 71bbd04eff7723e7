from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from jomed_app.errors import ConfigError
from jomed_app.retrieval.index import CandidateIndex
from jomed_app.retrieval.search import Hit, deep_ranks, find_candidates, relative_scores
from jomed_app.types import Head


def query_of(seed: int, dim: int) -> dict[Head, NDArray[np.float32]]:
    image, text = np.random.default_rng(seed).normal(size=(2, dim)).astype(np.float32)
    return {"image": image / np.linalg.norm(image), "text": 0.9 * text / np.linalg.norm(text)}


class ListedIndex:
    """Answers with prepared (id, score) lists, to reach merges by hand."""

    def __init__(self, **scores: list[tuple[str, float]]) -> None:
        self.scores = scores

    def search(
        self,
        vector: object,
        head: Head,
        k: int,
        exclude_ids: object = (),
        exclude_groups: object = (),
        exclude_labels: object = (),
    ) -> list[Hit]:
        listed = self.scores[head][:k]
        relative = relative_scores([score for _, score in listed])
        return [
            Hit(name, (head,), score, rank, relative[rank - 1], head, {head: score})
            for rank, (name, score) in enumerate(listed, start=1)
        ]


ANY: dict[Head, NDArray[np.float32]] = {
    "image": np.zeros(1, dtype=np.float32),
    "text": np.zeros(1, dtype=np.float32),
}


def test_two_heads_without_overlap_keep_both_scores() -> None:
    index = ListedIndex(
        image=[("a", 0.9), ("b", 0.88), ("x", 0.1)], text=[("c", 0.3), ("d", 0.29), ("y", 0.1)]
    )
    hits = find_candidates(index, ANY)
    assert [hit.candidate_id for hit in hits] == ["a", "c", "b", "d"]
    assert [hit.retriever_score for hit in hits] == [0.9, 0.3, 0.88, 0.29]
    assert [hit.relative_score for hit in hits] == pytest.approx([1, 1, 0.88 / 0.9, 0.29 / 0.3])
    assert [hit.rank for hit in hits] == [1, 2, 3, 4]
    assert [hit.heads for hit in hits] == [("image",), ("text",), ("image",), ("text",)]


def test_a_duplicate_is_merged_and_its_place_filled() -> None:
    index = ListedIndex(
        image=[("a", 0.8), ("b", 0.6), ("e", 0.4), ("f", 0.2)],
        text=[("b", 0.5), ("a", 0.4), ("g", 0.3), ("h", 0.2)],
    )
    hits = {hit.candidate_id: hit for hit in find_candidates(index, ANY)}
    assert list(hits) == ["a", "b", "g", "e"]
    assert hits["a"].heads == hits["b"].heads == ("image", "text")
    assert hits["a"].scores == {"image": 0.8, "text": 0.4}
    assert (hits["b"].best_head, hits["b"].retriever_score) == ("text", 0.5)
    assert hits["g"].heads == ("text",)


def test_found_by_both_comes_before_found_by_one() -> None:
    index = ListedIndex(
        image=[("m", 0.8), ("a", 0.8), ("c", 0.1)], text=[("m", 0.5), ("b", 0.5), ("d", 0.1)]
    )
    hits = find_candidates(index, ANY)
    assert [hit.candidate_id for hit in hits[:3]] == ["m", "a", "b"]


def test_a_small_corpus_gives_all_it_has() -> None:
    index = ListedIndex(image=[("a", 0.8), ("b", 0.6)], text=[("b", 0.5), ("a", 0.4)])
    assert {hit.candidate_id for hit in find_candidates(index, ANY, k_per_head=3)} == {"a", "b"}


def test_relative_scores_by_hand() -> None:
    assert relative_scores([0.8, 0.4, -0.4]) == pytest.approx([1.0, 0.5, -0.5])
    assert relative_scores([-0.2, -0.5]) == pytest.approx([1.0, 0.7])
    assert relative_scores([]) == []


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    k_per_head=st.integers(1, 14),
    excluded=st.frozensets(st.integers(0, 23).map("c{:03d}".format)),
)
def test_merged_hits_hold_their_promises(
    index: CandidateIndex, seed: int, k_per_head: int, excluded: frozenset[str]
) -> None:
    query = query_of(seed, index.info.dim)
    hits = find_candidates(index, query, k_per_head, excluded, {"twins"})
    ids = [hit.candidate_id for hit in hits]
    left = set(index.ids) - excluded - {"c000", "c001"}
    assert len(ids) == len(set(ids)) == min(2 * k_per_head, len(left))
    assert set(ids) <= left
    for head in ("image", "text"):
        nearest = index.search(query[head], head, k_per_head, excluded, {"twins"})
        assert {hit.candidate_id for hit in nearest} <= set(ids)
        for near in nearest:
            (hit,) = (hit for hit in hits if hit.candidate_id == near.candidate_id)
            assert hit.scores[head] == near.retriever_score
            assert hit.relative_score >= near.relative_score
    relative = [hit.relative_score for hit in hits]
    assert relative == sorted(relative, reverse=True)
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
    assert all(hit.retriever_score == hit.scores[hit.best_head] for hit in hits)
    swapped = {"text": query["text"], "image": query["image"]}
    assert find_candidates(index, swapped, k_per_head, excluded, {"twins"}) == hits


def test_a_deepened_search_goes_on_behind_what_it_shows() -> None:
    index = ListedIndex(
        image=[("a", 0.9), ("b", 0.88), ("x", 0.1), ("c", 0.05)],
        text=[("c", 0.3), ("d", 0.29), ("y", 0.1), ("x", 0.05)],
    )
    shown = find_candidates(index, ANY)
    assert deep_ranks(index, ANY, shown, 4) == {"a": 1, "c": 2, "b": 3, "d": 4, "x": 5, "y": 6}
    assert deep_ranks(index, ANY, shown[:3], 2) == {"a": 1, "c": 2, "b": 3, "d": 4}
    assert deep_ranks(index, {"text": ANY["text"]}, [], 3) == {"c": 1, "d": 2, "y": 3}


def test_deep_ranks_leave_out_what_the_search_did(index: CandidateIndex) -> None:
    query = query_of(3, index.info.dim)
    out = frozenset(index.ids[:4])
    ranks = deep_ranks(index, query, find_candidates(index, query, 2, out), len(index), out)
    assert set(ranks) == set(index.ids) - out
    assert sorted(ranks.values()) == list(range(1, len(ranks) + 1))
    with pytest.raises(ConfigError, match="at least 1 candidate, found k = 0"):
        deep_ranks(index, query, [], 0)


def test_one_head_alone_gives_k_of_its_own(index: CandidateIndex) -> None:
    query = query_of(1, index.info.dim)
    hits = find_candidates(index, {"text": query["text"]}, k_per_head=3)
    assert hits == index.search(query["text"], "text", 3)


def test_hits_are_frozen_and_hashable(index: CandidateIndex) -> None:
    hit = find_candidates(index, query_of(2, index.info.dim))[0]
    assert len({hit, dataclasses.replace(hit)}) == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        hit.rank = 2


def test_nothing_asked_is_an_error(index: CandidateIndex) -> None:
    with pytest.raises(ConfigError, match="found k_per_head = 0 and 2 heads"):
        find_candidates(index, query_of(0, index.info.dim), k_per_head=0)
    with pytest.raises(ConfigError, match="at least one head"):
        find_candidates(index, {})
