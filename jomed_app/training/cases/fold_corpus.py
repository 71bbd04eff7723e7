"""What one fold's retriever searches: its training cases, as the app searches an index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from jomed_app.inference.candidate_cache import CandidateCache
from jomed_app.models.reader.packed_rows import ImageEncoding
from jomed_app.models.retriever.embedded import RetrieverProjections
from jomed_app.models.retriever.query_heads import HEADS
from jomed_app.retrieval.corpus_view import CorpusView
from jomed_app.training.cases.table import ReaderTable
from jomed_app.training.cases.table_reader import TableReader
from jomed_app.types import Head


class FoldCorpus:
    """A corpus of table rows, and where a query stands among them.

    Args:
        table: the case table.
        fold: held out; None holds nothing out.
        members: (M,) rows that may be candidates; None takes the fold's training cases.
    """

    def __init__(
        self, table: ReaderTable, fold: int | None, members: NDArray[np.int64] | None = None
    ) -> None:
        self.table = table
        self.members = table.training_rows(fold) if members is None else members
        self.projections = table.fold_projections(fold)
        with torch.no_grad():
            images = self.projections.embed_features(table.features, "image")
        self.vectors: dict[Head, Tensor] = {
            "image": images,
            "text": torch.from_numpy(table.passages),
        }
        records = [table.records[int(row)] for row in self.members]
        self.view = CorpusView.of_vectors(
            "fold",
            records,
            {
                head: rows[torch.from_numpy(self.members)].numpy()
                for head, rows in self.vectors.items()
            },
        )
        self._row_of = {table.records[int(row)].case_id: int(row) for row in self.members}

    def rows(self, ids: Sequence[str]) -> list[int]:
        """Table rows of candidates."""
        return [self._row_of[each] for each in ids]

    def labels(self, ids: Sequence[str], names: Sequence[str]) -> NDArray[np.intp]:
        """(K,) label indexes of candidates."""
        return np.array([names.index(self.view.candidate(each).label) for each in ids], np.intp)

    def left_out(self, query: int) -> tuple[frozenset[str], frozenset[str]]:
        """Ids and groups that may not stand beside a query: the case itself, its own group."""
        record = self.table.records[query]
        return frozenset({record.case_id}), frozenset({record.group} if record.group else ())

    def candidates(self, reader: TableReader) -> CandidateCache:
        """The members as a reader takes them."""

        def encode(ids: Sequence[str]) -> list[ImageEncoding]:
            return [reader.query(row) for row in self.rows(ids)]

        return CandidateCache(reader.cases.reader, self.view, encode)

    @torch.no_grad()
    def query(
        self, features: Tensor, projections: RetrieverProjections, *, trained: bool
    ) -> dict[Head, NDArray[np.float32]]:
        """Per head the (D,) query vector of (F,) pooled features, by trained heads or without."""
        embed = projections.embed_query if trained else projections.embed_features
        return {head: embed(features[None], head)[0].numpy() for head in HEADS}

    def nearest(
        self, projections: RetrieverProjections, query: int, counts: Mapping[Head, int]
    ) -> list[int]:
        """Rows that the heads find first, each once, image head's before text head's."""
        vectors = self.query(self.table.features[query], projections, trained=True)
        ids, groups = self.left_out(query)
        found = [
            hit.candidate_id
            for head in HEADS
            if counts[head]
            for hit in self.view.search(vectors[head], head, counts[head], ids, groups)
        ]
        return self.rows(list(dict.fromkeys(found)))
