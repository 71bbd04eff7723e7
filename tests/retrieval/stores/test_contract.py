"""What every store promises, exact and approximate, in whatever engine."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from jomed_app.retrieval.stores.choice import measure_recall
from jomed_app.retrieval.stores.faiss_file import FaissStore
from jomed_app.retrieval.stores.protocol import Rows, VectorStore
from tests.retrieval.stores.conftest import NewStore

DIM = 4


@st.composite
def searches(draw: st.DrawFn) -> tuple[NDArray[np.float32], NDArray[np.float32], int, set[int]]:
    """Small whole numbers: inner products are exact in float32, ties are frequent."""
    size = draw(st.integers(1, 12))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    vectors = rng.integers(-2, 3, size=(size, DIM)).astype(np.float32)
    query = rng.integers(-2, 3, size=DIM).astype(np.float32)
    excluded = draw(st.sets(st.integers(0, size - 1)))
    return vectors, query, draw(st.integers(1, size + 2)), excluded


def brute_force(
    vectors: NDArray[np.float32], query: NDArray[np.float32], k: int, excluded: set[int]
) -> list[tuple[int, float]]:
    scores = [(row, float(vectors[row] @ query)) for row in range(len(vectors))]
    kept = [(row, score) for row, score in scores if row not in excluded]
    return sorted(kept, key=lambda pair: (-pair[1], pair[0]))[:k]


def left_out(rows: set[int]) -> Rows:
    return np.array(sorted(rows), dtype=np.int64)


def found(
    store: VectorStore, query: NDArray[np.float32], k: int, excluded: set[int]
) -> list[tuple[int, float]]:
    rows, scores = store.search(query, k, left_out(excluded))
    return list(zip(rows.tolist(), scores.tolist(), strict=True))


def unit_rows(count: int, dim: int, seed: int) -> NDArray[np.float32]:
    """Rows around 20 centres, as cases are."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(20, dim))
    rows = centres[rng.integers(0, 20, count)] + 1.5 * rng.normal(size=(count, dim))
    unit: NDArray[np.float32] = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype("f4")
    return unit


@settings(max_examples=150, deadline=None)
@given(searches())
def test_faiss_equals_brute_force_with_ties_and_exclusions(
    case: tuple[NDArray[np.float32], NDArray[np.float32], int, set[int]],
) -> None:
    vectors, query, k, excluded = case
    store = FaissStore(DIM)
    store.add(vectors)
    assert found(store, query, k, excluded) == brute_force(vectors, query, k, excluded)


def test_an_exact_store_equals_brute_force_and_reopens(new_store: NewStore) -> None:
    rng = np.random.default_rng(3)
    vectors = rng.integers(-2, 3, size=(40, DIM)).astype(np.float32)
    query = rng.integers(-2, 3, size=DIM).astype(np.float32)
    store = new_store(DIM)
    store.add(vectors[:25])
    store.add(vectors[25:])
    assert not store.is_approximate
    for k, excluded in ((1, set()), (5, {0, 7, 8}), (60, set(range(30)))):
        assert found(store, query, k, excluded) == brute_force(vectors, query, k, excluded)
    np.testing.assert_array_equal(store.vectors(), vectors)
    np.testing.assert_array_equal(store.some([7, 2]), vectors[[7, 2]])
    content = store.dump()
    if store.uri:  # faiss forgets what it closes
        store.close()
    reopened = type(store).load(content)
    assert (reopened.size, reopened.dim) == (40, DIM)
    assert found(reopened, query, 5, {1}) == brute_force(vectors, query, 5, {1})
    reopened.drop() if reopened.uri else store.close()


def test_many_equal_rows_are_returned_in_row_order(new_store: NewStore) -> None:
    store = new_store(DIM)
    store.add(np.ones((500, DIM), dtype=np.float32))
    rows, _ = store.search(np.ones(DIM, dtype=np.float32), 3, left_out({0, 2}))
    assert rows.tolist() == [1, 3, 4]
    store.drop()


def test_an_approximate_store_finds_nearly_all_with_rows_left_out_too(new_store: NewStore) -> None:
    vectors, queries = unit_rows(3000, 32, 0), unit_rows(40, 32, 1)
    store = new_store(32, approximate=True)
    store.add(vectors)
    assert store.is_approximate
    assert measure_recall(store, vectors, queries) >= 0.95
    for share in (0.1, 0.5, 0.95):
        excluded = set(np.flatnonzero(np.random.default_rng(2).random(3000) < share).tolist())
        hits = 0
        for query in queries:
            given_rows = [row for row, _ in found(store, query, 10, excluded)]
            assert len(given_rows) == 10, "what is left out must not leave fewer"
            assert not excluded & set(given_rows)
            hits += len(
                {row for row, _ in brute_force(vectors, query, 10, excluded)} & set(given_rows)
            )
        assert hits / 400 >= 0.95, share
    reopened = type(store).load(store.dump())
    assert reopened.is_approximate
    assert found(reopened, queries[0], 5, set()) == found(store, queries[0], 5, set())
    reopened.close()
    store.drop()


def test_a_graph_keeps_its_rows_as_they_came() -> None:
    vectors = unit_rows(300, 16, 4)
    store = FaissStore(16, approximate=True)
    store.add(vectors)
    np.testing.assert_array_equal(store.vectors(), vectors)
    np.testing.assert_array_equal(FaissStore.load(store.dump()).some([299, 0]), vectors[[299, 0]])
