"""Vector stores: exact inner-product search over rows. The only faiss import of the app.

`FaissStore` is the embedded default, one file on one machine. `MilvusStore` is for corpora that
many machines share; it needs the optional packages `pymilvus` (and `milvus-lite` for a local file).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from typing import Any, Literal, Protocol, Self

import faiss
import numpy as np
from numpy.typing import NDArray

from jomed_app.errors import ConfigError

StoreKind = Literal["faiss", "milvus"]
Rows = NDArray[np.int64]
Vectors = NDArray[np.float32]

_MILVUS_BATCH_ROWS = 1000
_search_parameters: Any = faiss.SearchParameters  # typed without its keywords in faiss 1.15


class VectorStore(Protocol):
    """Rows of float32 vectors, numbered from 0 in the order they were added."""

    @property
    def dim(self) -> int:
        """Numbers per vector."""

    @property
    def size(self) -> int:
        """Rows held."""

    @property
    def uri(self) -> str:
        """Where the vectors live when that is not the saved file, else empty."""

    def add(self, vectors: Vectors) -> None:
        """Append (N, D) rows."""

    def search(
        self, vector: Vectors, k: int, exclude_rows: Collection[int] = ()
    ) -> tuple[Rows, NDArray[np.float32]]:
        """Return the k rows of highest inner product with a (D,) vector, and these products.

        Exact; best first, ties by row number; fewer than k when fewer rows are left.
        """

    def vectors(self) -> Vectors:
        """All rows, (N, D), in row order."""

    def some(self, rows: Sequence[int]) -> Vectors:
        """The rows of these numbers, (R, D), in that order."""

    def dump(self) -> bytes:
        """Return what `load` needs, as the bytes of one file."""

    def close(self) -> None:
        """Let go of memory or of a connection; the store is not used after."""

    @classmethod
    def load(cls, content: bytes) -> Self:
        """Open what `dump` returned; faiss trusts what it reads, so its hash is checked before."""


class FaissStore:
    """A flat faiss index in memory, saved as one file."""

    def __init__(self, dim: int) -> None:
        self._index: Any = faiss.IndexFlatIP(dim)

    @property
    def dim(self) -> int:
        """Numbers per vector."""
        return int(self._index.d)

    @property
    def size(self) -> int:
        """Rows held."""
        return int(self._index.ntotal)

    @property
    def uri(self) -> str:
        """Empty: the vectors are in the saved file."""
        return ""

    def add(self, vectors: Vectors) -> None:
        """Append (N, D) rows."""
        self._index.add(np.ascontiguousarray(vectors, dtype=np.float32))

    def search(
        self, vector: Vectors, k: int, exclude_rows: Collection[int] = ()
    ) -> tuple[Rows, NDArray[np.float32]]:
        """Exact top k by inner product; see `VectorStore.search`."""
        query = np.ascontiguousarray(vector, dtype=np.float32).reshape(1, -1)
        excluded = np.fromiter(sorted(set(exclude_rows)), dtype=np.int64)
        batch = faiss.IDSelectorBatch(excluded)
        selector = faiss.IDSelectorNot(batch)
        parameters = _search_parameters(sel=selector) if excluded.size else None

        def search_deep(depth: int) -> tuple[Rows, NDArray[np.float32]]:
            scores, rows = self._index.search(query, depth, params=parameters)
            found = rows[0] >= 0
            return rows[0][found], scores[0][found]

        return _exact_top(search_deep, k, self.size - excluded.size)

    def vectors(self) -> Vectors:
        """All rows, (N, D), in row order."""
        rows: Vectors = self._index.reconstruct_n(0, self.size)
        return rows

    def some(self, rows: Sequence[int]) -> Vectors:
        """The rows of these numbers, (R, D), in that order."""
        found: Vectors = self._index.reconstruct_batch(np.array(rows, dtype=np.int64))
        return found

    def dump(self) -> bytes:
        """The faiss index as the bytes of one file."""
        content: bytes = faiss.serialize_index(self._index).tobytes()
        return content

    def close(self) -> None:
        """Free the vectors."""
        self._index.reset()

    @classmethod
    def load(cls, content: bytes) -> Self:
        """Read what `dump` returned; see `VectorStore.load`."""
        index = faiss.deserialize_index(np.frombuffer(content, dtype=np.uint8))
        store = cls(index.d)
        store._index = index
        return store


class MilvusStore:
    """A Milvus collection with a FLAT index; Milvus keeps the vectors, `dump` gives a reference.

    Args:
        dim: numbers per vector.
        uri: address of a server, or the path of a local `.db` file.
        collection: name; an existing collection is continued.

    Raises:
        ConfigError: if no address is given, pymilvus is not installed, or the collection has
            another dimension.
    """

    def __init__(self, dim: int, *, uri: str, collection: str) -> None:
        if not uri:
            raise ConfigError(
                "the Milvus store needs the address of a server or a local file, found none; "
                "name one as its uri"
            )
        client_type, data_type = _import_milvus()
        self._dim, self._uri, self._collection = dim, uri, collection
        self._client = client_type(uri)
        if not self._client.has_collection(collection):
            schema = self._client.create_schema(auto_id=False)
            schema.add_field("row", data_type.INT64, is_primary=True)
            schema.add_field("vector", data_type.FLOAT_VECTOR, dim=dim)
            index = self._client.prepare_index_params()
            index.add_index("vector", index_type="FLAT", metric_type="IP")
            self._client.create_collection(collection, schema=schema, index_params=index)
        self._client.load_collection(collection)
        fields = self._client.describe_collection(collection)["fields"]
        found = next(int(f["params"]["dim"]) for f in fields if f["name"] == "vector")
        if found != dim:
            raise ConfigError(
                f"Milvus collection '{collection}' must hold vectors of {dim} numbers, "
                f"found {found}; name another collection"
            )

    @property
    def dim(self) -> int:
        """Numbers per vector."""
        return self._dim

    @property
    def uri(self) -> str:
        """Address of the server or path of the local file."""
        return self._uri

    @property
    def size(self) -> int:
        """Rows held."""
        counted = self._client.query(
            self._collection, filter="", output_fields=["count(*)"], consistency_level="Strong"
        )
        return int(counted[0]["count(*)"])

    def add(self, vectors: Vectors) -> None:
        """Append (N, D) rows."""
        first = self.size
        for start in range(0, len(vectors), _MILVUS_BATCH_ROWS):
            batch = np.asarray(vectors[start : start + _MILVUS_BATCH_ROWS], dtype=np.float32)
            rows = [
                {"row": first + start + offset, "vector": vector.tolist()}
                for offset, vector in enumerate(batch)
            ]
            self._client.insert(self._collection, rows)

    def search(
        self, vector: Vectors, k: int, exclude_rows: Collection[int] = ()
    ) -> tuple[Rows, NDArray[np.float32]]:
        """Exact top k by inner product; see `VectorStore.search`."""
        query = np.asarray(vector, dtype=np.float32).reshape(-1).tolist()
        excluded = sorted({int(row) for row in exclude_rows})
        keep = f"row not in {excluded}" if excluded else ""

        def search_deep(depth: int) -> tuple[Rows, NDArray[np.float32]]:
            found = self._client.search(
                self._collection,
                data=[query],
                limit=depth,
                filter=keep,
                search_params={"metric_type": "IP"},
                consistency_level="Strong",
            )[0]
            rows = np.array([hit["row"] for hit in found], dtype=np.int64)
            return rows, np.array([hit["distance"] for hit in found], dtype=np.float32)

        return _exact_top(search_deep, k, self.size - len(excluded))

    def vectors(self) -> Vectors:
        """All rows, (N, D), in row order."""
        return self.some(range(self.size))

    def some(self, rows: Sequence[int]) -> Vectors:
        """The rows of these numbers, (R, D), in that order."""
        found: dict[int, Any] = {}
        for start in range(0, len(rows), _MILVUS_BATCH_ROWS):
            ids = list(rows[start : start + _MILVUS_BATCH_ROWS])
            for entity in self._client.get(self._collection, ids, output_fields=["vector"]):
                found[entity["row"]] = entity["vector"]
        vectors = [found[row] for row in rows]
        return np.array(vectors, dtype=np.float32).reshape(len(rows), self._dim)

    def dump(self) -> bytes:
        """Address, collection and dimension as JSON."""
        reference = {"uri": self._uri, "collection": self._collection, "dim": self._dim}
        return (json.dumps(reference, sort_keys=True) + "\n").encode()

    @classmethod
    def load(cls, content: bytes) -> Self:
        """Connect to the collection that the bytes of `dump` name."""
        reference = json.loads(content)
        return cls(reference["dim"], uri=reference["uri"], collection=reference["collection"])

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()


STORES: dict[StoreKind, type[FaissStore] | type[MilvusStore]] = {
    "faiss": FaissStore,
    "milvus": MilvusStore,
}


def _exact_top(
    search_deep: Callable[[int], tuple[Rows, NDArray[np.float32]]], k: int, available: int
) -> tuple[Rows, NDArray[np.float32]]:
    """Top k with ties settled by row: search deeper until the k-th score stands alone."""
    depth = min(k + 1, available)
    if depth < 1:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
    rows, scores = search_deep(depth)
    while depth < available and len(scores) > k and scores[-1] == scores[k - 1]:
        depth = min(2 * depth, available)
        rows, scores = search_deep(depth)
    order = np.lexsort((rows, -scores))[:k]
    return rows[order].astype(np.int64), scores[order].astype(np.float32)


def _import_milvus() -> tuple[Any, Any]:
    """Return MilvusClient and DataType of the optional package."""
    try:
        from pymilvus import DataType, MilvusClient
    except ImportError as error:
        raise ConfigError(
            "the Milvus store needs the optional package pymilvus, found none. "
            "Install: pip install pymilvus milvus-lite"
        ) from error
    return MilvusClient, DataType
