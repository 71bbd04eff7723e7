"""Which store an index is kept in: what `--store` means, and when a search may be approximate."""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass
from typing import Literal, Self, cast, get_args

import numpy as np

from jomed_app.errors import ConfigError
from jomed_app.retrieval.stores.faiss_file import FaissStore
from jomed_app.retrieval.stores.milvus import MilvusStore
from jomed_app.retrieval.stores.postgres import PostgresStore
from jomed_app.retrieval.stores.protocol import NO_ROWS, StoreKind, Vectors, VectorStore
from jomed_app.types import Head

logger = logging.getLogger(__name__)

STORES: dict[StoreKind, type[FaissStore | MilvusStore | PostgresStore]] = {
    "faiss": FaissStore,
    "milvus": MilvusStore,
    "postgres": PostgresStore,
}
Search = Literal["auto", "exact", "approximate"]

MOST_COMPARED = 100_000  # rows; beyond, comparing each takes longer than a reader waits for
RECALL_DEPTH = 10
LEAST_RECALL = 0.99  # of the ten best, over the index's own sampled queries


@dataclass(frozen=True, slots=True)
class StoreChoice:
    """A store as the command line names it.

    Attributes:
        kind: engine.
        uri: address of a server or path of a local file; empty for faiss.
        search: exact compares every row; approximate walks a graph; auto walks one above 100,000
            rows if that finds 99 of 100 of the ten best.
    """

    kind: StoreKind = "faiss"
    uri: str = ""
    search: Search = "auto"

    @classmethod
    def parse(cls, text: str, search: str = "auto") -> Self:
        """Read `--store`: faiss, milvus:ADDRESS or a path ending in .db, postgresql://...

        Raises:
            ConfigError: if it is none of these, or `search` is unknown.
        """
        if search not in get_args(Search):
            raise ConfigError(
                f"--search must be auto, exact or approximate, found '{search}'; choose one"
            )
        way = cast(Search, search)
        if text == "faiss":
            return cls("faiss", "", way)
        if text.startswith("milvus:") and text != "milvus:":
            return cls("milvus", text.removeprefix("milvus:"), way)
        if text.startswith(("postgresql://", "postgres://")):
            return cls("postgres", text, way)
        raise ConfigError(
            f"--store must be faiss, milvus:ADDRESS or postgresql://user@host/database, found "
            f"'{text.split(':', 1)[0]}'; choose one"
        )

    def keep(
        self, head: Head, vectors: Vectors, queries: Vectors
    ) -> tuple[VectorStore, float | None]:
        """Put vectors into a new store.

        Args:
            head: whose they are; part of the name in a server.
            vectors: (N, D) unit rows.
            queries: (Q, D) sampled queries, by which an approximate search is judged.

        Returns:
            The store, and the share in [0, 1] of the ten best that an approximate one found; None
            for an exact one.

        Raises:
            ConfigError: if the store cannot be used.
        """
        if self.search == "approximate" or (self.search == "auto" and len(vectors) > MOST_COMPARED):
            store = self._new(head, vectors, approximate=True)
            recall = measure_recall(store, vectors, queries)
            if self.search == "approximate" or recall >= LEAST_RECALL:
                return store, recall
            logger.warning(
                "approximate search found %.3f of the ten best, %.2f are asked for: every row is "
                "compared",
                recall,
                LEAST_RECALL,
            )
            store.drop()
        return self._new(head, vectors, approximate=False), None

    def _new(self, head: Head, vectors: Vectors, approximate: bool) -> VectorStore:
        dim = vectors.shape[1]
        name = f"jomed_{head}_{uuid.uuid4().hex[:12]}"
        store: VectorStore
        if self.kind == "faiss":
            store = FaissStore(dim, approximate)
        elif self.kind == "milvus":
            store = MilvusStore(dim, uri=self.uri, collection=name, approximate=approximate)
        else:
            store = PostgresStore(dim, uri=self.uri, table=name, approximate=approximate)
        store.add(vectors)
        return store


def measure_recall(store: VectorStore, vectors: Vectors, queries: Vectors) -> float:
    """Return the share of the ten best rows of each query that a store finds, in [0, 1].

    A row that is as near as the tenth best counts as found.

    Args:
        store: holds the vectors.
        vectors: (N, D), the same, compared one by one.
        queries: (Q, D), Q >= 1.
    """
    depth = min(RECALL_DEPTH, len(vectors))
    shares = []
    for query in queries:
        products = vectors @ query
        tenth = np.partition(products, -depth)[-depth]
        rows, _ = store.search(query, depth, NO_ROWS)
        shares.append(float((products[rows] >= tenth - 1e-6).sum()) / depth)
    return float(np.mean(shares))
