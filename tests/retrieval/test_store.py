from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from jomed_app.errors import ConfigError
from jomed_app.retrieval.store import FaissStore, MilvusStore, VectorStore

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


def found(
    store: VectorStore, query: NDArray[np.float32], k: int, excluded: set[int]
) -> list[tuple[int, float]]:
    rows, scores = store.search(query, k, excluded)
    return list(zip(rows.tolist(), scores.tolist(), strict=True))


@settings(max_examples=150, deadline=None)
@given(searches())
def test_faiss_equals_brute_force_with_ties_and_exclusions(
    case: tuple[NDArray[np.float32], NDArray[np.float32], int, set[int]],
) -> None:
    vectors, query, k, excluded = case
    store = FaissStore(DIM)
    store.add(vectors)
    assert found(store, query, k, excluded) == brute_force(vectors, query, k, excluded)


def test_many_equal_rows_are_returned_in_row_order() -> None:
    store = FaissStore(DIM)
    store.add(np.ones((500, DIM), dtype=np.float32))
    rows, _ = store.search(np.ones(DIM, dtype=np.float32), 3, {0, 2})
    assert rows.tolist() == [1, 3, 4]


def test_faiss_save_and_load_keep_every_row(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).normal(size=(7, DIM)).astype(np.float32)
    store = FaissStore(DIM)
    store.add(vectors[:3])
    store.add(vectors[3:])
    loaded = FaissStore.load(store.dump())
    assert (loaded.dim, loaded.size) == (DIM, 7)
    np.testing.assert_array_equal(loaded.vectors(), vectors)


def test_missing_pymilvus_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pymilvus", None)
    with pytest.raises(ConfigError, match="Install: pip install pymilvus milvus-lite"):
        MilvusStore(DIM, uri="any.db", collection="jomed")


@pytest.fixture
def milvus(tmp_path: Path) -> MilvusStore:
    pytest.importorskip("pymilvus", reason="pymilvus is an optional extra")
    pytest.importorskip("milvus_lite", reason="milvus-lite is an optional extra")
    return MilvusStore(DIM, uri=str(tmp_path / "store.db"), collection="jomed_test")


def test_milvus_equals_brute_force_and_reopens(milvus: MilvusStore, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    vectors = rng.integers(-2, 3, size=(40, DIM)).astype(np.float32)
    query = rng.integers(-2, 3, size=DIM).astype(np.float32)
    milvus.add(vectors[:25])
    milvus.add(vectors[25:])
    for k, excluded in ((1, set()), (5, {0, 7, 8}), (60, set(range(30)))):
        assert found(milvus, query, k, excluded) == brute_force(vectors, query, k, excluded)
    np.testing.assert_array_equal(milvus.vectors(), vectors)
    content = milvus.dump()
    milvus.close()
    reopened = MilvusStore.load(content)
    assert reopened.size == 40
    reopened.close()


def test_milvus_refuses_a_collection_of_another_dimension(milvus: MilvusStore) -> None:
    with pytest.raises(ConfigError, match="must hold vectors of 5 numbers, found 4"):
        MilvusStore(5, uri=milvus.uri, collection="jomed_test")
