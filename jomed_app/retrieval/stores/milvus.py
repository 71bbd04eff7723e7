"""Milvus: a service of its own that many machines share. The only pymilvus import of the app."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from jomed_app.errors import ConfigError
from jomed_app.retrieval.stores.protocol import (
    GRAPH_BUILD_DEPTH,
    GRAPH_LINKS,
    NO_ROWS,
    Rows,
    Scores,
    Vectors,
    top,
    walk_width,
)

TOKEN_VARIABLE = "JOMED_MILVUS_TOKEN"  # nosec B105  # a name

_BATCH_ROWS = 1000
_DEEPEST = 16_384  # rows that Milvus gives for one search


class MilvusStore:
    """A Milvus collection; Milvus keeps the vectors, `dump` gives a reference.

    Args:
        dim: numbers per vector.
        uri: address of a server, or the path of a local `.db` file. A name and password for the
            server stand in `JOMED_MILVUS_TOKEN`, as `name:password`, never in the address.
        collection: name; an existing collection is continued.
        approximate: whether Milvus walks a graph (HNSW); otherwise it compares every row (FLAT).

    Raises:
        ConfigError: if no address is given, pymilvus is not installed, the server does not answer,
            or the collection has another dimension.
    """

    def __init__(self, dim: int, *, uri: str, collection: str, approximate: bool = False) -> None:
        if not uri:
            raise ConfigError(
                "the Milvus store needs the address of a server or a local file, found none; "
                "name one as its uri"
            )
        client_type, data_type, fault = _import_milvus()
        self._dim, self._uri, self._collection = dim, uri, collection
        self._is_approximate = approximate
        try:
            self._client = client_type(uri, token=os.environ.get(TOKEN_VARIABLE, ""))
        except fault as error:
            raise ConfigError(
                f"the Milvus store needs a server that answers at '{uri}', found none. Start it, "
                "or build the index anew with another --store"
            ) from error
        if not self._client.has_collection(collection):
            schema = self._client.create_schema(auto_id=False)
            schema.add_field("row", data_type.INT64, is_primary=True)
            schema.add_field("vector", data_type.FLOAT_VECTOR, dim=dim)
            index = self._client.prepare_index_params()
            graph = {"M": GRAPH_LINKS, "efConstruction": GRAPH_BUILD_DEPTH}
            kind, parameters = ("HNSW", graph) if approximate else ("FLAT", {})
            index.add_index("vector", index_type=kind, metric_type="IP", params=parameters)
            self._client.create_collection(collection, schema=schema, index_params=index)
        self._client.load_collection(collection)
        fields = self._client.describe_collection(collection)["fields"]
        found = next(int(f["params"]["dim"]) for f in fields if f["name"] == "vector")
        if found != dim:
            self.close()
            raise ConfigError(
                f"Milvus collection '{collection}' must hold vectors of {dim} numbers, "
                f"found {found}; name another collection"
            )
        self._size = self._counted()

    @property
    def dim(self) -> int:
        """Numbers per vector."""
        return self._dim

    @property
    def uri(self) -> str:
        """Address of the server or path of the local file."""
        return self._uri

    @property
    def is_approximate(self) -> bool:
        """Whether a search walks a graph."""
        return self._is_approximate

    @property
    def size(self) -> int:
        """Rows held when it was opened, and those added since."""
        return self._size

    def add(self, vectors: Vectors) -> None:
        """Append (N, D) rows."""
        first = self.size
        for start in range(0, len(vectors), _BATCH_ROWS):
            batch = np.asarray(vectors[start : start + _BATCH_ROWS], dtype=np.float32)
            rows = [
                {"row": first + start + offset, "vector": vector.tolist()}
                for offset, vector in enumerate(batch)
            ]
            self._client.insert(self._collection, rows)
        self._client.flush(self._collection)
        self._size = self._counted()

    def search(self, vector: Vectors, k: int, exclude_rows: Rows = NO_ROWS) -> tuple[Rows, Scores]:
        """Top k by inner product; see `VectorStore.search`."""
        query = np.asarray(vector, dtype=np.float32).reshape(-1).tolist()
        left_out = f"row not in {exclude_rows.tolist()}" if exclude_rows.size else ""
        share = 1 - exclude_rows.size / max(1, self._size)

        def search_deep(depth: int) -> tuple[Rows, Scores]:
            width = {"ef": walk_width(depth, share)} if self._is_approximate else {}
            found = self._client.search(
                self._collection,
                data=[query],
                limit=min(depth, _DEEPEST),
                filter=left_out,
                search_params={"metric_type": "IP", "params": width},
                consistency_level="Strong",
            )[0]
            rows = np.array([hit["row"] for hit in found], dtype=np.int64)
            return rows, np.array([hit["distance"] for hit in found], dtype=np.float32)

        available = min(self.size - exclude_rows.size, _DEEPEST)
        return top(search_deep, k, available, exact=not self._is_approximate)

    def vectors(self) -> Vectors:
        """All rows, (N, D), in row order."""
        return self.some(range(self.size))

    def some(self, rows: Sequence[int]) -> Vectors:
        """The rows of these numbers, (R, D), in that order."""
        found: dict[int, Any] = {}
        for start in range(0, len(rows), _BATCH_ROWS):
            ids = list(rows[start : start + _BATCH_ROWS])
            for entity in self._client.get(self._collection, ids, output_fields=["vector"]):
                found[entity["row"]] = entity["vector"]
        vectors = [found[row] for row in rows]
        return np.array(vectors, dtype=np.float32).reshape(len(rows), self._dim)

    def dump(self) -> bytes:
        """Address, collection and dimension as JSON."""
        reference = {
            "uri": self._uri,
            "collection": self._collection,
            "dim": self._dim,
            "approximate": self._is_approximate,
        }
        return (json.dumps(reference, sort_keys=True) + "\n").encode()

    def drop(self) -> None:
        """Destroy the collection."""
        self._client.drop_collection(self._collection)
        self.close()

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    @classmethod
    def load(cls, content: bytes) -> Self:
        """Connect to the collection that the bytes of `dump` name."""
        reference = json.loads(content)
        return cls(
            reference["dim"],
            uri=reference["uri"],
            collection=reference["collection"],
            approximate=reference.get("approximate", False),
        )

    def _counted(self) -> int:
        counted = self._client.query(
            self._collection, filter="", output_fields=["count(*)"], consistency_level="Strong"
        )
        return int(counted[0]["count(*)"])


def _import_milvus() -> tuple[Any, Any, Any]:
    """Return MilvusClient, DataType and the error of the optional package."""
    try:
        from pymilvus import DataType, MilvusClient, MilvusException
    except ImportError as error:
        raise ConfigError(
            "the Milvus store needs the optional package pymilvus, found none. "
            "Install: pip install pymilvus milvus-lite"
        ) from error
    return MilvusClient, DataType, MilvusException
