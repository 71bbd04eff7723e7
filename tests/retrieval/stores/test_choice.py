"""What `--store` and `--search` mean, and the recall that an approximate search must show."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from jomed_app.errors import ConfigError
from jomed_app.retrieval.stores import choice
from jomed_app.retrieval.stores.choice import StoreChoice, measure_recall
from jomed_app.retrieval.stores.faiss_file import FaissStore
from jomed_app.retrieval.stores.protocol import Rows, Scores, Vectors
from tests.retrieval.stores.test_contract import unit_rows


@pytest.mark.parametrize(
    ("text", "kind", "uri"),
    [
        ("faiss", "faiss", ""),
        ("milvus:http://vectors:19530", "milvus", "http://vectors:19530"),
        ("milvus:cases.db", "milvus", "cases.db"),
        ("postgresql://reader@host/cases", "postgres", "postgresql://reader@host/cases"),
    ],
)
def test_a_store_is_named_by_kind_and_address(text, kind, uri):
    assert StoreChoice.parse(text) == StoreChoice(kind, uri, "auto")


@pytest.mark.parametrize("text", ["milvus", "milvus:", "qdrant:x", "mysql://secret@host", ""])
def test_another_store_is_refused_without_its_address(text):
    with pytest.raises(ConfigError, match="must be faiss, milvus:ADDRESS or postgresql") as caught:
        StoreChoice.parse(text)
    assert "secret" not in str(caught.value)


def test_another_search_is_refused():
    with pytest.raises(ConfigError, match="auto, exact or approximate, found 'fast'"):
        StoreChoice.parse("faiss", "fast")


@pytest.fixture
def vectors():
    return unit_rows(600, 16, 0)


@pytest.fixture
def queries():
    return unit_rows(30, 16, 1)


def test_few_rows_are_compared_one_by_one(vectors, queries):
    store, recall = StoreChoice().keep("image", vectors, queries)
    assert (store.is_approximate, recall) == (False, None)


def test_many_rows_are_walked_if_that_finds_the_best(vectors, queries, monkeypatch):
    monkeypatch.setattr(choice, "MOST_COMPARED", 500)
    store, recall = StoreChoice().keep("image", vectors, queries)
    assert store.is_approximate
    assert recall >= choice.LEAST_RECALL
    exact, none = StoreChoice(search="exact").keep("image", vectors, queries)
    assert (exact.is_approximate, none) == (False, None)


class Forgetful(FaissStore):
    """A graph that never finds an even row."""

    def search(self, vector: Vectors, k: int, exclude_rows: Rows) -> tuple[Rows, Scores]:
        if not self.is_approximate:
            return super().search(vector, k, exclude_rows)
        return super().search(vector, k, np.arange(0, self.size, 2))


def test_a_walk_that_misses_the_best_is_not_taken(vectors, queries, monkeypatch, caplog):
    monkeypatch.setattr(choice, "MOST_COMPARED", 500)
    monkeypatch.setattr(choice, "FaissStore", Forgetful)
    with caplog.at_level(logging.WARNING):
        store, recall = StoreChoice().keep("image", vectors, queries)
    assert (store.is_approximate, recall) == (False, None)
    assert "every row is compared" in caplog.text
    wished, low = StoreChoice(search="approximate").keep("image", vectors, queries)
    assert wished.is_approximate
    assert low == pytest.approx(0.5, abs=0.1)


def test_recall_by_hand():
    vectors = np.eye(4, dtype=np.float32)[[0, 1, 2, 3] * 5]
    store = FaissStore(4)
    store.add(vectors)
    query = np.array([[1.0, 0.5, 0.0, 0.0]], dtype=np.float32)
    assert measure_recall(store, vectors, query) == 1.0, "any five of the five second best count"
