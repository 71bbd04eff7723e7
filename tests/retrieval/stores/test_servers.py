"""Stores in servers: same hits as faiss, one sentence for every fault, no password kept."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from jomed_app.data.records import CaseRecord
from jomed_app.errors import ConfigError, StorageError
from jomed_app.retrieval.build import add_to_index, build_index
from jomed_app.retrieval.index import CandidateIndex
from jomed_app.retrieval.manifest import HEADS
from jomed_app.retrieval.search import find_candidates
from jomed_app.retrieval.stores.choice import StoreChoice
from jomed_app.retrieval.stores.milvus import MilvusStore
from jomed_app.retrieval.stores.postgres import PostgresStore
from tests.retrieval.drawn import DrawnEncoder
from tests.retrieval.stores.test_contract import unit_rows

Corpus = tuple[Path, list[CaseRecord]]


@pytest.fixture
def milvus_uri(tmp_path: Path) -> str:
    pytest.importorskip("pymilvus", reason="pymilvus is an optional extra")
    pytest.importorskip("milvus_lite", reason="stands in for a Milvus server")
    return str(tmp_path / "store.db")


@pytest.mark.parametrize("kind", ["milvus", "postgres"])
def test_an_index_kept_in_a_server_finds_the_same(
    kind: str,
    corpus: Corpus,
    index: CandidateIndex,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    uri = request.getfixturevalue(f"{kind}_uri")
    folder, records = corpus
    out = tmp_path / "shared"
    store = StoreChoice.parse(uri if kind == "postgres" else f"milvus:{uri}")
    build_index(records[:20], folder, DrawnEncoder(), out, name="x", store=store).close()
    shared = add_to_index(out, records[20:], folder, DrawnEncoder())
    assert shared.store_uri == uri
    assert shared.info.store == kind
    assert shared.info.recall is None
    for row in range(0, 24, 5):
        query = {head: index.vectors(head)[row] for head in HEADS}
        expected = find_candidates(index, query, exclude_groups={"twins"})
        found = find_candidates(shared, query, exclude_groups={"twins"})
        assert [hit.candidate_id for hit in found] == [hit.candidate_id for hit in expected]
        assert [hit.heads for hit in found] == [hit.heads for hit in expected]
    shared.close()


def test_an_approximate_index_says_what_it_finds(corpus: Corpus, tmp_path: Path) -> None:
    folder, records = corpus
    wish = StoreChoice(search="approximate")
    out = tmp_path / "out"
    made = build_index(records[:20], folder, DrawnEncoder(), out, name="x", store=wish)
    assert made.info.recall == {"image": 1.0, "text": 1.0}
    grown = add_to_index(out, records[20:], folder, DrawnEncoder())
    assert grown.info.recall == {"image": 1.0, "text": 1.0}


def test_milvus_needs_an_address(corpus: Corpus, tmp_path: Path) -> None:
    folder, records = corpus
    with pytest.raises(ConfigError, match="needs the address of a server or a local file"):
        build_index(
            records, folder, DrawnEncoder(), tmp_path / "out", name="x", store=StoreChoice("milvus")
        )
    assert not (tmp_path / "out").exists()


def test_the_graph_of_milvus_is_really_built(milvus_uri: str) -> None:
    store = MilvusStore(8, uri=milvus_uri, collection="jomed_graph", approximate=True)
    store.add(unit_rows(500, 8, 0))
    told = store._client.describe_index("jomed_graph", "vector")
    assert told["index_type"] == "HNSW"
    assert int(told["indexed_rows"]) == 500
    store.drop()


def test_the_graph_of_postgres_is_used(postgres_uri: str) -> None:
    store = PostgresStore(8, uri=postgres_uri, table="jomed_graph", approximate=True)
    store.add(unit_rows(2000, 8, 0))
    with store._cursor() as cursor:
        query = "EXPLAIN SELECT row FROM jomed_graph ORDER BY vector <#> %s LIMIT 10"
        plan = str(cursor.execute(query, [np.ones(8, dtype=np.float32)]).fetchall())
    assert "jomed_graph_graph" in plan
    store.drop()


@pytest.mark.parametrize("kind", ["milvus", "postgres"])
def test_vectors_of_another_dimension_are_refused(
    kind: str, request: pytest.FixtureRequest
) -> None:
    uri = request.getfixturevalue(f"{kind}_uri")

    def opened(dim: int) -> MilvusStore | PostgresStore:
        if kind == "milvus":
            return MilvusStore(dim, uri=uri, collection="jomed_dim")
        return PostgresStore(dim, uri=uri, table="jomed_dim")

    first = opened(4)
    with pytest.raises(ConfigError, match="must hold vectors of 5 numbers, found 4"):
        opened(5)
    first.close()


def test_a_password_in_an_address_is_refused_and_not_told() -> None:
    with pytest.raises(ConfigError, match="PGPASSWORD") as caught:
        PostgresStore(4, uri="postgresql://reader:hunter2@host/cases", table="x")
    assert "hunter2" not in str(caught.value)


def test_a_server_that_is_not_there_is_one_sentence() -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(ConfigError, match="with pgvector that answers at") as caught:
        PostgresStore(4, uri="postgresql://reader@127.0.0.1:9/cases", table="x")
    assert "\n" not in str(caught.value)


def test_a_connection_that_broke_is_opened_anew(postgres_uri: str) -> None:
    store = PostgresStore(4, uri=postgres_uri, table="jomed_broken")
    store.add(np.eye(4, dtype=np.float32))
    other = PostgresStore(4, uri=postgres_uri, table="jomed_broken")
    with other._cursor() as cursor:
        end = "SELECT pg_terminate_backend(%s)"
        cursor.execute(end, [store._connection.info.backend_pid])
    none = np.empty(0, dtype=np.int64)
    with pytest.raises(StorageError, match="try again when it is back"):
        store.search(np.ones(4, dtype=np.float32), 1, none)
    rows, _ = store.search(np.array([0, 0, 1, 0], dtype=np.float32), 1, none)
    assert rows.tolist() == [2]
    store.close()
    other.drop()


@pytest.mark.parametrize(
    ("package", "advice", "open_store"),
    [
        ("pymilvus", "pymilvus milvus-lite", lambda: MilvusStore(4, uri="x.db", collection="x")),
        (
            "psycopg",
            r"psycopg\[binary\]",
            lambda: PostgresStore(4, uri="postgresql://h/d", table="x"),
        ),
    ],
)
def test_a_missing_package_is_one_sentence(package, advice, open_store, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=f"Install: pip install {advice}"):
        open_store()
