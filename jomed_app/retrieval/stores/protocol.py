"""What an index needs of a store of vectors, and the order in which every store answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

StoreKind = Literal["faiss", "milvus", "postgres"]
Rows = NDArray[np.int64]
Scores = NDArray[np.float32]
Vectors = NDArray[np.float32]

# Graph of the approximate searches, the same in every engine: links a vector, and how many are kept
# in sight while it is built and while it is searched (Malkov and Yashunin, arXiv:1603.09320).
GRAPH_LINKS, GRAPH_BUILD_DEPTH, GRAPH_SEARCH_DEPTH = 16, 64, 100


# A walk of which most nodes are left out loses its way; below this share every row is compared.
SMALLEST_WALKED_SHARE = 0.2


class VectorStore(Protocol):
    """Rows of float32 vectors, numbered from 0 in the order they were added.

    A store that is approximate walks a graph and may miss some of the best; one that is not
    compares every row.
    """

    @property
    def dim(self) -> int:
        """Numbers per vector."""

    @property
    def size(self) -> int:
        """Rows held."""

    @property
    def uri(self) -> str:
        """Where the vectors live when that is not the saved file, else empty; no password in it."""

    @property
    def is_approximate(self) -> bool:
        """Whether a search may miss some of the best rows."""

    def add(self, vectors: Vectors) -> None:
        """Append (N, D) rows."""

    def search(self, vector: Vectors, k: int, exclude_rows: Rows) -> tuple[Rows, Scores]:
        """Return the k rows of highest inner product with a (D,) vector, and these products.

        Best first, ties by row number; fewer than k when fewer rows are left. `exclude_rows` are
        (E,) distinct row numbers. Safe from several threads at once.
        """

    def vectors(self) -> Vectors:
        """All rows, (N, D), in row order."""

    def some(self, rows: Sequence[int]) -> Vectors:
        """The rows of these numbers, (R, D), in that order."""

    def dump(self) -> bytes:
        """Return what `load` needs, as the bytes of one file."""

    def drop(self) -> None:
        """Destroy the vectors wherever they live; the store is not used after."""

    def close(self) -> None:
        """Let go of memory or of a connection; the store is not used after."""

    @classmethod
    def load(cls, content: bytes) -> Self:
        """Open what `dump` returned; its hash is checked before.

        Raises:
            ConfigError: if the engine cannot be reached, or the vectors are gone from it.
        """


NO_ROWS: Rows = np.empty(0, dtype=np.int64)


def walk_width(depth: int, share: float) -> int:
    """Return how many nodes a walk keeps in sight: more as fewer of them may be found.

    Args:
        depth: rows wanted.
        share: of the rows that may be found, in (0, 1].
    """
    return round(max(GRAPH_SEARCH_DEPTH, 2 * depth) / max(share, SMALLEST_WALKED_SHARE))


SearchDeep = Callable[[int], tuple[Rows, Scores]]


def top(search_deep: SearchDeep, k: int, available: int, exact: bool) -> tuple[Rows, Scores]:
    """Return the top k of a search that gives any depth, best first, ties by row.

    An engine orders equal scores as it likes, so an exact one is asked deeper until the k-th score
    stands alone. In an approximate one ties beyond the k-th stay as they come.

    Args:
        search_deep: depth -> rows and scores, best first, about as many as asked for.
        k: rows wanted, >= 1.
        available: rows that may be found.
        exact: whether the search compares every row.
    """
    depth = min(k + 1, available) if exact else min(k, available)
    if depth < 1:
        return NO_ROWS, np.empty(0, dtype=np.float32)
    rows, scores = search_deep(depth)
    while exact and depth < available and len(scores) > k and scores[-1] == scores[k - 1]:
        depth = min(2 * depth, available)
        rows, scores = search_deep(depth)
    order = np.lexsort((rows, -scores))[:k]
    return rows[order].astype(np.int64), scores[order].astype(np.float32)
