"""The embedded store: faiss in memory, saved as one file. The only faiss import of the app."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import faiss
import numpy as np

from jomed_app.retrieval.stores.protocol import (
    GRAPH_BUILD_DEPTH,
    GRAPH_LINKS,
    NO_ROWS,
    SMALLEST_WALKED_SHARE,
    Rows,
    Scores,
    Vectors,
    top,
    walk_width,
)

_faiss: Any = faiss  # its types know neither these keywords nor graphs in faiss 1.15


class FaissStore:
    """A flat faiss index, or a graph (HNSW) over one, in memory.

    Args:
        dim: numbers per vector.
        approximate: whether searches walk a graph.
    """

    def __init__(self, dim: int, approximate: bool = False) -> None:
        self._index: Any
        if approximate:
            self._index = faiss.IndexHNSWFlat(dim, GRAPH_LINKS, faiss.METRIC_INNER_PRODUCT)
            self._index.hnsw.efConstruction = GRAPH_BUILD_DEPTH
        else:
            self._index = faiss.IndexFlatIP(dim)

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

    @property
    def is_approximate(self) -> bool:
        """Whether a search walks a graph."""
        return isinstance(self._index, _faiss.IndexHNSWFlat)

    def add(self, vectors: Vectors) -> None:
        """Append (N, D) rows."""
        self._index.add(np.ascontiguousarray(vectors, dtype=np.float32))

    def search(self, vector: Vectors, k: int, exclude_rows: Rows = NO_ROWS) -> tuple[Rows, Scores]:
        """Top k by inner product; see `VectorStore.search`.

        With a graph: where less than a fifth of the rows may be found, every row is compared.
        """
        query = np.ascontiguousarray(vector, dtype=np.float32).reshape(1, -1)
        available = self.size - exclude_rows.size
        share = available / max(1, self.size)
        walks = self.is_approximate and share >= SMALLEST_WALKED_SHARE
        selector = self._all_but(exclude_rows) if exclude_rows.size else None

        def search_deep(depth: int) -> tuple[Rows, Scores]:
            if walks:
                parameters = _faiss.SearchParametersHNSW(
                    efSearch=walk_width(depth, share), sel=selector
                )
                scores, rows = self._index.search(query, depth, params=parameters)
            else:
                parameters = _faiss.SearchParameters(sel=selector) if selector else None
                scores, rows = self._flat().search(query, depth, params=parameters)
            found = rows[0] >= 0
            return rows[0][found], scores[0][found]

        return top(search_deep, k, available, exact=not walks)

    def vectors(self) -> Vectors:
        """All rows, (N, D), in row order."""
        rows: Vectors = self._flat().reconstruct_n(0, self.size)
        return rows

    def some(self, rows: Sequence[int]) -> Vectors:
        """The rows of these numbers, (R, D), in that order."""
        found: Vectors = self._flat().reconstruct_batch(np.array(rows, dtype=np.int64))
        return found

    def dump(self) -> bytes:
        """The faiss index as the bytes of one file."""
        content: bytes = faiss.serialize_index(self._index).tobytes()
        return content

    def drop(self) -> None:
        """Free the vectors."""
        self.close()

    def close(self) -> None:
        """Free the vectors."""
        self._index.reset()

    @classmethod
    def load(cls, content: bytes) -> Self:
        """Read what `dump` returned; faiss trusts what it reads, so its hash is checked before."""
        index = faiss.deserialize_index(np.frombuffer(content, dtype=np.uint8))
        store = cls(index.d)
        store._index = index
        return store

    def _all_but(self, rows: Rows) -> Any:
        kept = np.ones(self.size, dtype=bool)
        kept[rows] = False
        return _faiss.IDSelectorBitmap(np.packbits(kept, bitorder="little"))

    def _flat(self) -> Any:
        """The rows themselves, below the graph where there is one."""
        return faiss.downcast_index(self._index.storage) if self.is_approximate else self._index
