"""What is searched: cases, and the vectors of each head over them.

An index on disk, the other folds of a cross-validation and the known images of a question set are
searched through this one class, so that the app and its figures find the same candidates.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from jomed_app.data.records import CaseRecord
from jomed_app.errors import ConfigError, IndexMismatchError, RecordError
from jomed_app.retrieval.search import Hit, relative_scores
from jomed_app.retrieval.stores.faiss_file import FaissStore
from jomed_app.retrieval.stores.protocol import NO_ROWS, Rows, VectorStore
from jomed_app.types import Head


class CorpusView:
    """Cases and their vectors, read only. Reading is safe from several threads at once.

    Args:
        name: for error texts.
        records: N cases sorted by id, which are unique.
        stores: per head N unit rows of D numbers, in the order of the records; heads may be left
            out, one is needed.
    """

    def __init__(
        self, name: str, records: Sequence[CaseRecord], stores: Mapping[Head, VectorStore]
    ) -> None:
        self.name = name
        self._stores = dict(stores)
        self._records = list(records)
        self._row_of = {record.case_id: row for row, record in enumerate(records)}
        self._rows_of_group = rows_by([record.group for record in records])
        self._rows_of_label = rows_by([record.label for record in records])

    @classmethod
    def of_vectors(
        cls, name: str, records: Sequence[CaseRecord], vectors: Mapping[Head, NDArray[np.float32]]
    ) -> Self:
        """View cases in memory, in any order.

        Args:
            name: for error texts.
            records: N >= 1 cases with unique ids.
            vectors: per head (N, D) unit rows in the order of the records.
        """
        order = sorted(range(len(records)), key=lambda row: records[row].case_id)
        stores: dict[Head, VectorStore] = {}
        for head, rows in vectors.items():
            stores[head] = FaissStore(rows.shape[1])
            stores[head].add(rows[order])
        return cls(name, [records[row] for row in order], stores)

    @property
    def ids(self) -> tuple[str, ...]:
        """Case ids in row order, which is sorted."""
        return tuple(self._row_of)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that occur, sorted."""
        return tuple(sorted(self._rows_of_label))

    def __len__(self) -> int:
        return len(self._records)

    def search(
        self,
        vector: NDArray[np.float32],
        head: Head,
        k: int,
        exclude_ids: Collection[str] = frozenset(),
        exclude_groups: Collection[str] = frozenset(),
        exclude_labels: Collection[str] = frozenset(),
    ) -> list[Hit]:
        """Return the k candidates of highest inner product in one head.

        Exactly, unless the store says that it is approximate.

        Args:
            vector: (D,) query vector of this head.
            head: image (against candidate images) or text (against passages).
            k: hits wanted, >= 1; fewer come when fewer are left.
            exclude_ids: candidates left out; unknown ids are no error.
            exclude_groups: groups left out; the empty group is none.
            exclude_labels: candidates of these labels are left out.

        Returns:
            Hits best first, ties by id.

        Raises:
            ConfigError: if k < 1.
            IndexMismatchError: if the vector does not fit the corpus.
        """
        if k < 1:
            raise ConfigError(f"a search must ask for at least 1 candidate, found k = {k}")
        store = self._stores[head]
        if vector.shape != (store.dim,) or not np.isfinite(vector).all():
            raise IndexMismatchError(
                f"index '{self.name}' needs a query vector of {store.dim} finite numbers, "
                f"found shape {vector.shape}; encode the query with its retriever"
            )
        rows_out = self._rows_out(exclude_ids, exclude_groups, exclude_labels)
        rows, scores = store.search(vector, k, rows_out)
        plain = [float(score) for score in scores]
        ranked = enumerate(zip(rows, plain, relative_scores(plain), strict=True), start=1)
        return [
            Hit(
                candidate_id=self._records[row].case_id,
                heads=(head,),
                retriever_score=score,
                rank=rank,
                relative_score=relative,
                best_head=head,
                scores={head: score},
            )
            for rank, (row, score, relative) in ranked
        ]

    def nearest_other_label(
        self,
        vector: NDArray[np.float32],
        head: Head,
        label: str,
        exclude_ids: Collection[str] = frozenset(),
        exclude_groups: Collection[str] = frozenset(),
    ) -> Hit | None:
        """Return the counter-case: the nearest candidate whose label is another one, or None."""
        hits = self.search(vector, head, 1, exclude_ids, exclude_groups, {label})
        return hits[0] if hits else None

    def close(self) -> None:
        """Let go of the vectors, and of a server that keeps them; nothing is searched after."""
        for store in self._stores.values():
            store.close()

    def candidate(self, candidate_id: str) -> CaseRecord:
        """Return a candidate's record; its boxes are px of the original image.

        Raises:
            RecordError: if the corpus does not hold it.
        """
        return self._records[self._row(candidate_id)]

    def vectors(self, head: Head) -> NDArray[np.float32]:
        """Return the (N, D) unit rows of one head, in the order of `ids`."""
        return self._stores[head].vectors()

    def vectors_of(self, head: Head, ids: Sequence[str]) -> NDArray[np.float32]:
        """Return the (R, D) unit rows of some cases in one head; errors as `candidate`."""
        return self._stores[head].some([self._row(name) for name in ids])

    def holds_group(self, group: str) -> bool:
        """Whether a case of that group is here; the empty group is none."""
        return bool(group) and group in self._rows_of_group

    def others(
        self, exclude_ids: Collection[str], exclude_groups: Collection[str]
    ) -> tuple[str, ...]:
        """Ids of all candidates that are not left out, sorted."""
        rows_out = set(self._rows_out(exclude_ids, exclude_groups, ()).tolist())
        return tuple(name for row, name in enumerate(self._row_of) if row not in rows_out)

    def _rows_out(
        self, ids: Collection[str], groups: Collection[str], labels: Collection[str]
    ) -> Rows:
        """The rows that are left out, distinct and ascending."""
        named = [self._row_of[case_id] for case_id in ids if case_id in self._row_of]
        parts = [
            np.array(named, dtype=np.int64),
            *(self._rows_of_group.get(group, NO_ROWS) for group in groups if group),
            *(self._rows_of_label.get(label, NO_ROWS) for label in labels),
        ]
        return np.unique(np.concatenate(parts))

    def _row(self, candidate_id: str) -> int:
        try:
            return self._row_of[candidate_id]
        except KeyError:
            raise RecordError(
                f"index '{self.name}' must hold the candidate asked for, "
                f"found no '{candidate_id}'; take ids from its hits"
            ) from None


def rows_by(keys: Sequence[str]) -> dict[str, Rows]:
    """Key -> the rows that have it, ascending."""
    rows: dict[str, list[int]] = {}
    for row, key in enumerate(keys):
        rows.setdefault(key, []).append(row)
    return {key: np.array(each, dtype=np.int64) for key, each in rows.items()}
